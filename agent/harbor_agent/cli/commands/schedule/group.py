"""The group of the commands about scheduled drift checks."""

from __future__ import annotations

from harbor_agent.cli.help import command_app, format_examples

app = command_app(
    no_args_is_help=True,
    help="Run drift checks on a schedule (systemd, cron, Kubernetes).",
    epilog=format_examples(
        "harbor-agent schedule install -i inventory.ini -c harbor-agent.yaml",
        "harbor-agent schedule show",
        "harbor-agent schedule remove",
    ),
)
