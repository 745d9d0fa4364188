"""The commands about scheduled drift checks."""

from harbor_agent.cli.commands.schedule import change, show  # noqa: F401 - each adds its commands to the group
from harbor_agent.cli.commands.schedule.group import app

__all__ = ["app"]
