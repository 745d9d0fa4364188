"""Whether the logins of a run are right, asked of each registry before anything is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.errors import Problem
    from harbor_agent.model.policy import Credentials, Policy, Registry

# The login itself is wrong. Any other problem (a registry that is down or cannot be reached from here, a missing image)
# is a warning: the nodes' own pulls decide.
_LOGIN_REJECTED = frozenset(
    {
        "registry-credentials-wrong",
        "registry-pull-denied",
        "registry-realm-downgrade",
        "registry-realm-invalid",
        "registry-token-missing",
        "registry-token-refused",
    }
)


def check_logins(
    policies: Sequence[Policy], credentials: Mapping[str, Credentials], *, must_answer: bool = False
) -> list[Problem]:
    """Ask each registry, one at a time, whether its login may pull; return the warnings.

    `credentials` are by registry entry. Raises AgentError if a registry rejects its login, with `must_answer` also
    for any other reason why the login cannot pull.
    """
    registries = {r.address.entry: r for p in policies for r in p.present if r.address.entry in credentials}
    if not registries:
        return []
    from harbor_agent.registry.validate import validate  # noqa: PLC0415 - HTTP is slow to import

    warnings: list[Problem] = []
    for registry in registries.values():
        repository, reference = _split_image(registry)
        answer = validate(
            registry.address, credentials[registry.address.entry], repository=repository, reference=reference
        )
        warnings += answer.notes
        if answer.problem is None:
            continue
        if must_answer or answer.problem.code in _LOGIN_REJECTED:
            raise AgentError(answer.problem)
        warnings.append(answer.problem)
    return warnings


def _split_image(registry: Registry) -> tuple[str | None, str | None]:
    """Return repository and tag or digest of `verify_image`, None for both if the registry has none."""
    if not registry.verify_image:
        return None, None
    name, at, digest = registry.verify_image.partition("@")
    if at:
        return name, digest
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon else (name, "latest")
