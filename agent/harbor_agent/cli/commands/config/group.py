"""The group of the commands about harbor-agent.yaml."""

from __future__ import annotations

from harbor_agent.cli.help import command_app, format_examples

app = command_app(
    no_args_is_help=True,
    help="Check harbor-agent.yaml, or print its JSON Schema.",
    epilog=format_examples("harbor-agent config check", "harbor-agent config schema >harbor-agent.schema.json"),
)
