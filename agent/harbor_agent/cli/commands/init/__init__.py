"""The command that writes a first harbor-agent.yaml."""

from harbor_agent.cli.commands.init.command import app

__all__ = ["app"]
