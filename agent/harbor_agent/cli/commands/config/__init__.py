"""The commands about harbor-agent.yaml."""

from harbor_agent.cli.commands.config import check, schema  # noqa: F401 - each adds its command to the group
from harbor_agent.cli.commands.config.group import app

__all__ = ["app"]
