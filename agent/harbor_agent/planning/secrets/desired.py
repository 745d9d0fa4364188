"""The pull secrets that the settings request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import UsageError
from harbor_agent.model.secret import Namespaces, SecretSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harbor_agent.model.policy import Credentials, Policy, SecretPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredSecret:
    """One secret and the namespaces that it belongs in.

    With `report_leftovers`, copies in other namespaces are reported as no longer requested, and so is any secret for
    the registries of `removed` (entries), which the settings have as absent.
    """

    spec: SecretSpec
    namespaces: Namespaces
    report_leftovers: bool = True
    removed: frozenset[str] = frozenset()


def build_desired_secrets(
    policies: Iterable[Policy],
    credentials: Mapping[str, Credentials],
    *,
    force_conflicts: bool = False,
    report_leftovers: bool = True,
) -> list[DesiredSecret]:
    """Return the secrets that the policies request, each once; `credentials` are by registry entry.

    Raises UsageError for a secret without credentials, and for two registries that share a secret.
    """
    policies = tuple(policies)
    present = [registry for policy in policies for registry in policy.present]
    named = {registry.address.entry for policy in policies for registry in policy.registries}
    removed = frozenset(named - {registry.address.entry for registry in present})
    found: dict[str, DesiredSecret] = {}
    for registry in present:
        if registry.secret is None:
            continue
        if registry.address.entry not in credentials:
            raise UsageError.of(
                "credentials-missing",
                f"secret {registry.secret.name} needs a login at {registry.address}, and none is configured",
                "add credentials to harbor-agent.yaml, or --username with --password-stdin or --password-file",
            )
        spec = SecretSpec(
            name=registry.secret.name,
            address=registry.address,
            credentials=credentials[registry.address.entry],
            key_form=registry.secret.key_form,
            service_accounts=registry.secret.service_accounts,
            force_conflicts=force_conflicts,
            force_insecure=registry.secret.force_insecure,
        )
        desired = DesiredSecret(
            spec=spec,
            namespaces=build_namespaces(registry.secret),
            report_leftovers=report_leftovers,
            removed=removed,
        )
        found.setdefault(registry.address.entry, desired)
    _require_one_registry_each(list(found.values()))
    return list(found.values())


def build_namespaces(secret: SecretPolicy) -> Namespaces:
    """Return the namespaces that the secret belongs in."""
    return Namespaces(names=secret.namespaces, selector=secret.namespace_selector, excluded=secret.exclude_namespaces)


def _require_one_registry_each(secrets: Sequence[DesiredSecret]) -> None:
    for place, one in enumerate(secrets):
        for other in secrets[place + 1 :]:
            if one.spec.name == other.spec.name and one.namespaces.may_meet(other.namespaces):
                raise UsageError.of(
                    "secret-name-shared",
                    f"{one.spec.address} and {other.spec.address} use the same secret {one.spec.name}",
                    "a secret is for one registry: give each its own `secret: {name: …}`",
                )
