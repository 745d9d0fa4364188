"""The commands about pull secrets in the cluster."""

from harbor_agent.cli.commands.secret import change, read  # noqa: F401 - each adds its commands to the group
from harbor_agent.cli.commands.secret.group import app

__all__ = ["app"]
