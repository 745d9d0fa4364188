"""harbor-agent config schema."""

from __future__ import annotations

from harbor_agent.cli.command import command
from harbor_agent.cli.commands.config.group import app
from harbor_agent.cli.console import print_json
from harbor_agent.cli.help import format_examples
from harbor_agent.errors import ExitCode


@app.command("schema", epilog=format_examples("harbor-agent config schema >harbor-agent.schema.json"))
@command
def schema() -> ExitCode:
    """Print the JSON Schema of harbor-agent.yaml for editors.

    An editor with the YAML language server completes and checks a file whose first line is
    `# yaml-language-server: $schema=harbor-agent.schema.json`.
    """
    from harbor_agent.planning.config.schema import build_settings_schema

    print_json(build_settings_schema())
    return ExitCode.DONE
