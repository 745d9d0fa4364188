"""Docker's new files, from their templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.planning.files.render import render_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.model.address import Address
    from harbor_agent.planning.files.render import Templates

DOCKER_OPTS = "DOCKER_OPTS"
_DROP_IN = "docker-options.conf.j2"
_DAEMON_JSON = "daemon.json.j2"
TEMPLATES: tuple[str, ...] = (_DROP_IN, _DAEMON_JSON)


def build_flags(entries: Iterable[str]) -> list[str]:
    """Return the dockerd arguments that trust the entries."""
    return [f"--insecure-registry={entry}" for entry in entries]


def render_drop_in(addresses: Sequence[Address], templates: Templates) -> str:
    """Return the docker-options.conf of the KubeSphere guide: every registry in one DOCKER_OPTS, nothing else."""
    return render_variable(DOCKER_OPTS, [address.entry for address in addresses], templates)


def render_variable(variable: str, entries: Sequence[str], templates: Templates) -> str:
    """Return a drop-in that sets `variable` to the flags for the entries."""
    return render_text(templates[_DROP_IN], variable=variable, arguments=build_flags(entries))


def render_exec_start(command: str, templates: Templates) -> str:
    """Return a drop-in that replaces ExecStart= by `command`, raw text as in a unit."""
    return render_text(templates[_DROP_IN], command=command)


def render_daemon_json(entries: Sequence[str], templates: Templates) -> str:
    """Return a daemon.json that holds the entries and nothing else."""
    return render_text(templates[_DAEMON_JSON], entries=list(entries))
