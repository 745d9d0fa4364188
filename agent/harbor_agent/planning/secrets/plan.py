"""What to do with a pull secret, decided from the secret that the cluster has under its name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.pull_secret import (
    FORCE_INSECURE,
    SECRET_TYPE,
    build_annotations,
    build_payload,
    build_registry_key,
    decode_payload,
    find_registry_hosts,
    list_other_keys,
    list_other_members,
    read_logins,
)
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import SecretAction, SecretPlan, ServiceAccountResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.formats.pull_secret import ObservedSecret
    from harbor_agent.model.address import Address
    from harbor_agent.model.secret import SecretSpec


_NOT_CREATED = "was not created by harbor-agent"
_CHANGED = {"username": "username changed", "password": "password changed", "email": "email changed"}


def plan_secret_write(spec: SecretSpec, namespace: str, observed: ObservedSecret | None) -> SecretPlan:
    """Plan how to create or update the secret; service accounts are not part of it.

    A secret of another type, an immutable secret, and a secret with logins that others wrote, for other registries or
    for a path of this one, are refused. Any other secret of another owner is updated and keeps its labels, so that it
    stays theirs.
    """
    plan = SecretPlan(namespace=namespace, name=spec.name, outcome=Outcome.PENDING)
    if observed is None:
        return replace(plan, action=SecretAction.CREATE, reason="the secret does not exist yet")
    differences = list_differences(spec, observed)
    problem = _find_obstacle(spec, namespace, observed, differences)
    if problem:
        return replace(plan, outcome=Outcome.REFUSED, reason=problem.message, problem=problem, differences=differences)
    if not differences:
        return replace(plan, outcome=Outcome.UNCHANGED, reason="the secret is up to date")
    owner = "" if observed.is_ours else "; it was not created by harbor-agent and keeps its labels"
    reason = f"the secret differs: {', '.join(differences)}{owner}"
    return replace(plan, action=SecretAction.UPDATE, reason=reason, differences=differences)


def plan_secret_removal(
    name: str, namespace: str, address: Address, observed: ObservedSecret | None, attached: Sequence[str]
) -> SecretPlan:
    """Plan to detach the secret for `address` from the `attached` service accounts and delete it, if it is ours.

    A secret of ours that now holds only logins for other registries, as after a move, is left alone. So is one to which
    others added logins, and so is a copy, together with the service accounts that were copied with it.
    """
    other = _find_other_registry(name, namespace, observed, address) if observed else None
    is_kept = other or (observed and observed.is_copy)
    accounts = () if is_kept else tuple(ServiceAccountResult(name=one, outcome=Outcome.PENDING) for one in attached)
    plan = SecretPlan(
        namespace=namespace,
        name=name,
        outcome=Outcome.PENDING,
        action=SecretAction.REMOVE,
        reason="the secret will be deleted",
        service_accounts=accounts,
    )
    if observed is None:
        return replace(plan, outcome=Outcome.UNCHANGED, action=SecretAction.NONE, reason="the secret does not exist")
    if problem := other or _find_other_owner(name, namespace, address, observed):
        return replace(plan, outcome=Outcome.SKIPPED, action=SecretAction.NONE, reason=problem.message, problem=problem)
    return plan


def _find_other_owner(name: str, namespace: str, address: Address, observed: ObservedSecret) -> Problem | None:
    """Return why the secret, or a login in it, belongs to somebody else; None if it does not."""
    secret = f"secret {name} in namespace {namespace}"
    added = () if observed.is_as_written else list_other_keys(observed, address)
    if observed.is_copy:
        message = f"{secret} is a copy that harbor-agent did not create, and is not removed"
    elif not observed.is_ours:
        message = f"{secret} was not created by harbor-agent and is not removed"
    elif added:
        message = f"{secret} also holds logins that harbor-agent did not write ({', '.join(added)}), and is not removed"
    else:
        return None
    hint = f"if it is not needed any more: kubectl -n {namespace} delete secret {name}"
    return Problem(code="secret-not-ours", message=message, hint=hint)


def _find_other_registry(name: str, namespace: str, observed: ObservedSecret, address: Address) -> Problem | None:
    hosts = find_registry_hosts(observed)
    if not hosts or address.entry in hosts:
        return None
    return Problem(
        code="secret-of-another-registry",
        message=f"secret {name} in namespace {namespace} is for {', '.join(sorted(hosts))}, not {address}; "
        "it is not removed",
        hint=f"to remove it, run the command with --registry {min(hosts)}",
    )


def list_differences(spec: SecretSpec, observed: ObservedSecret) -> tuple[str, ...]:
    """Return what differs between the observed secret and the specified one, one clause each, without values."""
    desired = decode_payload(build_payload(spec.address, spec.credentials, spec.key_form))
    found = []
    if observed.type != SECRET_TYPE:
        found.append(f"its type is {observed.type}")
    elif decode_payload(observed.payload) != desired:
        found += _list_login_differences(spec, observed)
        found += [f"{member} removed" for member in list_other_members(observed)]
    insecure = build_annotations(spec).get(FORCE_INSECURE)
    if observed.annotations.get(FORCE_INSECURE) != insecure:
        found.append(f"annotation {FORCE_INSECURE} {'set' if insecure else 'removed'}")
    return tuple(found)


def _list_login_differences(spec: SecretSpec, observed: ObservedSecret) -> list[str]:
    """Name what differs in the registry key or its login, without values."""
    key = build_registry_key(spec.address, spec.key_form)
    logins = read_logins(observed.payload)
    if key not in logins:
        return [f"registry key becomes {key}"]
    if dropped := sorted(set(logins) - {key}):
        return [f"login for {other} removed" for other in dropped]
    observed_login = logins[key]
    login = observed_login if isinstance(observed_login, dict) else {}
    desired = {
        "username": spec.credentials.username,
        "password": spec.credentials.password.reveal(),
        "email": spec.credentials.email,
    }
    changed = [field for field, value in desired.items() if login.get(field) != value]
    if changed:
        return [_CHANGED[field] for field in changed]
    written = read_logins(build_payload(spec.address, spec.credentials, spec.key_form))
    return [] if observed_login == written[key] else ["login changed"]


def _find_obstacle(
    spec: SecretSpec, namespace: str, observed: ObservedSecret, differences: tuple[str, ...]
) -> Problem | None:
    """Return why the observed secret cannot or must not become the one specified, None if it can."""
    secret = f"secret {spec.name} in namespace {namespace}"
    replace_it = (
        f"kubectl -n {namespace} delete secret {spec.name}, then run the command again; or choose another --secret-name"
    )
    if observed.type != SECRET_TYPE:
        message = f"{secret} exists with type {observed.type}, and a secret's type cannot change"
        return Problem(code="secret-type-mismatch", message=message, hint=replace_it)
    if not differences:
        return None
    if observed.immutable:
        message = f"{secret} differs and is marked immutable"
        return Problem(code="secret-immutable", message=message, hint=replace_it)
    others = () if observed.is_as_written else list_other_keys(observed, spec.address)
    if others:
        owner = "was changed by others since harbor-agent wrote it" if observed.is_ours else _NOT_CREATED
        message = f"{secret} {owner} and holds logins for {', '.join(others)}"
        return Problem(code="secret-of-another-owner", message=message, hint="choose another --secret-name")
    return None
