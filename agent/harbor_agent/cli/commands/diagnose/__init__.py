"""The command that finds why an image is not pulled."""

from harbor_agent.cli.commands.diagnose.command import app

__all__ = ["app"]
