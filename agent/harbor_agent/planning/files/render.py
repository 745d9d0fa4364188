"""Files made new, from their templates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jinja2 import Template

    from harbor_agent.model.address import Address

DOCKER_OPTS = "DOCKER_OPTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """Jinja2 texts: a drop-in for docker's unit, and a daemon.json.

    Their names in templates/ are docker-options.conf.j2 and daemon.json.j2.
    """

    docker_options: str
    daemon_json: str


def flags_of(entries: Iterable[str]) -> list[str]:
    """Return the dockerd arguments that trust the entries."""
    return [f"--insecure-registry={entry}" for entry in entries]


def render_drop_in(addresses: Sequence[Address], template: str) -> str:
    """Return the docker-options.conf of the KubeSphere guide: every registry in one DOCKER_OPTS, nothing else."""
    return render_variable(DOCKER_OPTS, [address.entry for address in addresses], template)


def render_variable(variable: str, entries: Sequence[str], template: str) -> str:
    """Return a drop-in that sets `variable` to the flags for the entries."""
    return render_text(template, variable=variable, arguments=flags_of(entries))


def render_exec_start(command: str, template: str) -> str:
    """Return a drop-in that replaces ExecStart= by `command`, raw text as it stands in a unit."""
    return render_text(template, command=command)


def render_daemon_json(entries: Sequence[str], template: str) -> str:
    """Return a daemon.json that holds the entries and nothing else."""
    return render_text(template, entries=list(entries))


def render_text(template: str, **values: object) -> str:
    """Return the template filled in; a name in it that is not given is an error of ours."""
    return _compiled(template).render(values)


@lru_cache(maxsize=8)
def _compiled(template: str) -> Template:
    # jinja2 takes 30 ms to import: only a plan that makes a new file pays for it
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    # what comes out is unit text or JSON, never HTML
    environment = Environment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,  # noqa: S701
    )
    return environment.from_string(template)
