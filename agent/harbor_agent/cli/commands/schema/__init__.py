"""The command about the schemas of printed documents."""

from harbor_agent.cli.commands.schema.documents import app

__all__ = ["app"]
