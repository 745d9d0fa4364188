"""The texts of the files that are written to a node, handed in by whoever may open files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """Jinja2 texts: a drop-in for docker's unit, and a daemon.json.

    Their names in templates/ are docker-options.conf.j2 and daemon.json.j2.
    """

    docker_options: str
    daemon_json: str
