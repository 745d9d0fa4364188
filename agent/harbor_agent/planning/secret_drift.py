"""Drift of one pull secret in one namespace: compared with what a person applied, and without its password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.pull_secret import (
    FORCE_INSECURE,
    SECRET_TYPE,
    build_annotations,
    build_registry_key,
    read_logins,
)
from harbor_agent.model.result import Outcome
from harbor_agent.planning.drift import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.formats.pull_secret import ObservedSecret
    from harbor_agent.model.secret import SecretForm, SecretScope, ServiceAccountResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedPlace:
    """A secret and its service accounts in one namespace; `observed` is None if the secret does not exist."""

    namespace: str
    name: str
    observed: ObservedSecret | None
    accounts: tuple[ServiceAccountResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretDrift:
    """The state of a pull secret in one namespace. `problem` forbids its correction."""

    status: DriftStatus
    reason: str
    problem: Problem | None = None


def classify_secret(
    place: ObservedPlace, form: SecretForm, scope: SecretScope | None, *, is_known: bool
) -> SecretDrift:
    """Compare a secret with what a person applied there, and that with the settings.

    `form` is that of the settings, `scope` what was applied to this namespace, None if nothing was. `is_known` says
    that the secret was applied to other namespaces.
    """
    differences = tuple(_list_differences(place, scope.form if scope else form))
    unread = next((one.problem for one in place.accounts if one.problem), None)
    if unread and not differences:
        return SecretDrift(status=DriftStatus.FAILED, reason=unread.message, problem=unread)
    if scope is None:
        return _classify_unapplied("; ".join(differences), is_known=is_known)
    return _classify_applied(place, "; ".join(differences), scope, is_as_requested=scope.form == form)


def describe_missing_approval(namespace: str, name: str, why: str) -> Problem:
    """Return the problem that a person has to apply the settings first."""
    return Problem(
        code="drift-not-approved",
        message=f"secret {namespace}/{name}: {why}",
        hint="run harbor-agent secret apply, or harbor-agent apply, which shows the plan and asks",
    )


def _classify_applied(
    place: ObservedPlace, differences: str, scope: SecretScope, *, is_as_requested: bool
) -> SecretDrift:
    changed_since = f"the settings have changed since {_describe_run(scope)}"
    if not differences and is_as_requested:
        return SecretDrift(status=DriftStatus.IN_SYNC, reason=f"as applied in {_describe_run(scope)}")
    if not differences:
        return SecretDrift(status=DriftStatus.PENDING, reason=f"as applied, but {changed_since}")
    problem = None
    if not is_as_requested:
        problem = describe_missing_approval(place.namespace, place.name, changed_since)
    elif place.observed and not place.observed.is_ours:
        problem = _describe_other_owner(place)
    return SecretDrift(status=DriftStatus.DRIFT, reason=differences, problem=problem)


def _classify_unapplied(reason: str, *, is_known: bool) -> SecretDrift:
    if not reason:
        return SecretDrift(status=DriftStatus.IN_SYNC, reason="as harbor-agent wrote it")
    if is_known:
        return SecretDrift(
            status=DriftStatus.PENDING, reason=f"{reason}; the namespace was not part of what was applied"
        )
    return SecretDrift(status=DriftStatus.UNMANAGED, reason=f"{reason}; no apply of it is known to this controller")


def _list_differences(place: ObservedPlace, form: SecretForm) -> Iterator[str]:
    if place.observed is None:
        yield "the secret is missing"
    else:
        yield from _list_changes(place.observed, form)
    for account in place.accounts:
        if account.outcome is Outcome.PENDING and account.name in form.service_accounts:
            yield f"service account {account.name} does not name the secret"


def _list_changes(observed: ObservedSecret, form: SecretForm) -> Iterator[str]:
    key = build_registry_key(form.address, form.key_form)
    if observed.type != SECRET_TYPE:
        yield f"its type is {observed.type}"
    elif key not in read_logins(observed.payload):
        yield f"it has no login for {key}"
    elif observed.is_ours and not observed.is_as_written:
        yield "its content was changed since harbor-agent wrote it"
    wanted = build_annotations(form).get(FORCE_INSECURE)
    if observed.annotations.get(FORCE_INSECURE) != wanted:
        yield f"annotation {FORCE_INSECURE} was {'removed' if wanted else 'added'}"


def _describe_other_owner(place: ObservedPlace) -> Problem:
    return Problem(
        code="drift-secret-not-ours",
        message=f"secret {place.namespace}/{place.name} is not the one that harbor-agent created",
        hint=f"find out who created it: kubectl -n {place.namespace} get secret {place.name} -o yaml "
        "--show-managed-fields; harbor-agent secret apply shows what it would change, and asks",
    )


def _describe_run(scope: SecretScope) -> str:
    return f"run {scope.run_id}" if scope.run_id else f"the apply of {scope.applied}"
