"""Whether the logins of a run are right, asked of each registry before anything is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.request.expiry import find_addresses, find_client_files
from harbor_agent.errors import AgentError, Problem
from harbor_agent.formats.password import describe_unusual

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import Credentials, Policy, Registry
    from harbor_agent.registry.validate import Validation

# The login itself is wrong. Any other problem (a registry that is down or cannot be reached from here, a missing image)
# is a warning: the nodes' own pulls decide.
_LOGIN_REJECTED = frozenset(
    {
        "registry-credentials-wrong",
        "registry-login-malformed",
        "registry-pull-denied",
        "registry-realm-downgrade",
        "registry-realm-invalid",
        "registry-token-missing",
        "registry-token-refused",
    }
)

_LOGIN_NOT_REQUESTED = frozenset({"registry-open", "registry-login-not-requested"})


def check_logins(policies: Sequence[Policy], credentials: Mapping[str, Credentials]) -> list[Problem]:
    """Ask each registry, one at a time, whether its login may pull; return the warnings.

    `credentials` are by registry entry. Raises AgentError, with the warnings so far, if a registry rejects its login.
    """
    return check_open_registries(policies, credentials)[0]


def check_open_registries(
    policies: Sequence[Policy], credentials: Mapping[str, Credentials]
) -> tuple[list[Problem], frozenset[str]]:
    """Ask each registry as `check_logins`; return the warnings, and the entries of those that take any login."""
    warnings: list[Problem] = []
    takes_any: set[str] = set()
    for validation in _ask_registries(policies, credentials):
        problem = validation.problem
        if problem and problem.code in _LOGIN_REJECTED:
            raise AgentError(problem, [*warnings, *validation.notes])
        found = [*validation.notes, *([problem] if problem else [])]
        warnings += found
        if any(one.code in _LOGIN_NOT_REQUESTED for one in found):
            takes_any.add(validation.address.entry)
    return warnings, frozenset(takes_any)


def prove_logins(
    policies: Sequence[Policy], credentials: Mapping[str, Credentials]
) -> tuple[list[Problem], list[Address]]:
    """Ask each registry as `check_logins`; return the warnings and the registries that did not request the login.

    Raises AgentError, with the warnings so far, for any reason why a login cannot pull.
    """
    warnings: list[Problem] = []
    unproven: list[Address] = []
    for validation in _ask_registries(policies, credentials):
        warnings += validation.notes
        if validation.problem is not None:
            raise AgentError(validation.problem, warnings)
        if not validation.is_proven:
            unproven.append(validation.address)
    return warnings, unproven


def _ask_registries(policies: Sequence[Policy], credentials: Mapping[str, Credentials]) -> Iterator[Validation]:
    registries = {r.address.entry: r for p in policies for r in p.present if r.address.entry in credentials}
    if not registries:
        return
    from harbor_agent.registry.http import Connection  # noqa: PLC0415
    from harbor_agent.registry.validate import validate  # noqa: PLC0415 - HTTP is slow to import

    for registry in registries.values():
        login = credentials[registry.address.entry]
        repository, reference = split_image(registry)
        connection = Connection(
            patience=registry.answer_timeout,
            authorities=registry.certificates.authorities.decode() if registry.certificates else "",
            client=find_client_files(registry),
            addresses=find_addresses(registry),
        )
        answer = validate(registry.address, login, repository=repository, reference=reference, connection=connection)
        yield _add_remarks(answer, login)


def _add_remarks(validation: Validation, login: Credentials) -> Validation:
    """Return the same with remarks on the form of the password: in the problem if the registry rejects the login."""
    remark = describe_unusual(login.password.reveal())
    remark = f"the password from {login.source} {remark}" if remark else ""
    notes, problem = (*login.notes, *validation.notes), validation.problem
    if not remark or validation.is_proven:
        return replace(validation, notes=notes)
    if problem and problem.code in {"registry-credentials-wrong", "registry-login-malformed"}:
        problem = replace(problem, message=f"{problem.message}; {remark}")
        return replace(validation, notes=notes, problem=problem)
    note = Problem(
        code="password-unusual",
        message=f"{remark}, and the registry has not verified it",
        hint="write the password without line ends, blanks and quotes around it, for example with printf %s",
    )
    return replace(validation, notes=(*notes, note))


def split_image(registry: Registry) -> tuple[str | None, str | None]:
    """Return repository and tag or digest of `verify_image`, None for both if the registry has none."""
    if not registry.verify_image:
        return None, None
    name, at, digest = registry.verify_image.partition("@")
    if at:
        return name, digest
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon else (name, "latest")
