"""The pull secrets that the settings request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import UsageError
from harbor_agent.model.secret import Namespaces, SecretForm, SecretSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harbor_agent.model.policy import Credentials, Policy, Registry, SecretPolicy


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
    found = [
        DesiredSecret(
            spec=build_spec(
                registry, secret, _require_login(registry, secret, credentials), force_conflicts=force_conflicts
            ),
            namespaces=build_namespaces(secret),
            report_leftovers=report_leftovers,
            removed=removed,
        )
        for registry, secret in list_requested(policies)
    ]
    _require_one_registry_each(found)
    return found


def list_requested(policies: Iterable[Policy]) -> list[tuple[Registry, SecretPolicy]]:
    """Return the registries that should have a pull secret, each once, with the settings of it."""
    present = [registry for policy in policies for registry in policy.present if registry.secret is not None]
    first = {registry.address.entry: registry for registry in reversed(present)}
    entries = dict.fromkeys(registry.address.entry for registry in present)
    return [(first[entry], secret) for entry in entries if (secret := first[entry].secret)]


def build_form(registry: Registry, secret: SecretPolicy) -> SecretForm:
    """Return what the secret of a registry should be like, its login left out."""
    return SecretForm(
        url=registry.address.url,
        key_form=secret.key_form,
        service_accounts=secret.service_accounts,
        force_insecure=secret.force_insecure,
    )


def build_spec(registry: Registry, secret: SecretPolicy, login: Credentials, *, force_conflicts: bool) -> SecretSpec:
    """Return the secret of a registry with this login."""
    return SecretSpec(
        name=secret.name,
        address=registry.address,
        credentials=login,
        key_form=secret.key_form,
        service_accounts=secret.service_accounts,
        force_conflicts=force_conflicts,
        force_insecure=secret.force_insecure,
    )


def build_namespaces(secret: SecretPolicy) -> Namespaces:
    """Return the namespaces that the secret belongs in."""
    return Namespaces(names=secret.namespaces, selector=secret.namespace_selector, excluded=secret.exclude_namespaces)


def _require_login(registry: Registry, secret: SecretPolicy, credentials: Mapping[str, Credentials]) -> Credentials:
    if login := credentials.get(registry.address.entry):
        return login
    raise UsageError.of(
        "credentials-missing",
        f"secret {secret.name} needs a login at {registry.address}, and none is configured",
        "add credentials to harbor-agent.yaml, or --username with --password-stdin or --password-file",
    )


def _require_one_registry_each(secrets: Sequence[DesiredSecret]) -> None:
    for place, one in enumerate(secrets):
        for other in secrets[place + 1 :]:
            if one.spec.name == other.spec.name and one.namespaces.may_meet(other.namespaces):
                raise UsageError.of(
                    "secret-name-shared",
                    f"{one.spec.address} and {other.spec.address} use the same secret {one.spec.name}",
                    "a secret is for one registry: give each its own `secret: {name: …}`",
                )
