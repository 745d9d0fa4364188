"""Whether a login can pull from a registry, checked over HTTP before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.registry.check import LoginCheck
from harbor_agent.registry.http import Connection

if TYPE_CHECKING:
    from harbor_agent.errors import Problem
    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import Credentials

_CONNECTION = Connection()


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The answer to "can this login pull from this registry".

    `problem` is why it cannot; None if it can. `is_proven` is whether the registry requested the login and accepted
    it: one that lets anybody pull accepts a wrong password too. `notes` are worth knowing either way (a proxy was
    used, tokens come from another host, Harbor reports that it is unhealthy).
    """

    address: Address
    problem: Problem | None = None
    is_proven: bool = False
    notes: tuple[Problem, ...] = ()


def validate(
    address: Address,
    credentials: Credentials,
    *,
    repository: str | None = None,
    reference: str | None = None,
    connection: Connection = _CONNECTION,
) -> Validation:
    """Ask the registry whether `credentials` are right and, with `repository`, whether they may pull from it.

    A wrong login is sent once, unless a connection is lost (Harbor locks a user for 1.5 s after each). `reference` is
    a tag or digest; without it the request is for the repository's tags. There are at most eight questions. Proxies of
    the environment are used (harbor_agent.local.proxy) and named in the notes. Raises UsageError for credentials that
    no registry can accept; everything else is in the answer.
    """
    check = LoginCheck(address, credentials, connection)
    if repository and address.is_docker_hub and "/" not in repository:
        repository = f"library/{repository}"  # docker expands short names this way
    problem = check.run(repository, reference)
    return Validation(address=address, problem=problem, is_proven=check.is_proven, notes=tuple(check.list_notes()))
