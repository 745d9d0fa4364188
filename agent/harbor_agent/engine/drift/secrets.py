"""Drift of pull secrets: deleted, changed, detached from a service account, or missing in a new namespace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from harbor_agent.engine.drift.corrections import find_quarantine
from harbor_agent.engine.exit_codes import compute_drift_exit_code
from harbor_agent.errors import AgentError, ExitCode, Problem
from harbor_agent.planning.drift import DriftStatus
from harbor_agent.planning.secret_drift import ObservedPlace, classify_secret
from harbor_agent.planning.secrets.desired import build_form, build_namespaces, list_requested

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.model.policy import Policy, Registry, SecretPolicy
    from harbor_agent.model.runs import Quarantine
    from harbor_agent.model.secret import SecretScope


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftedSecret:
    """One pull secret in one namespace; of namespaces that could not be listed, their selection.

    `scope` is what a person applied there, if that is known. `problem` is what forbids its correction. `incarnation` is
    the UID of the namespace ("" if it is not known): one that is deleted and created again is another one. `is_new`
    says that it was created after what was applied there, by a selector. `place` is the cluster (`Cluster.server`).
    """

    registry: str
    name: str
    namespace: str
    status: DriftStatus
    reason: str = ""
    scope: SecretScope | None = None
    problem: Problem | None = None
    quarantine: Quarantine | None = None
    incarnation: str = ""
    is_new: bool = False
    place: str = ""

    @property
    def key(self) -> str:
        """Its name in the log of corrections and in the quarantine."""
        return f"secret/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsDrift:
    """The pull secrets of the settings, or the `problem` why the cluster could not be read."""

    secrets: tuple[DriftedSecret, ...] = ()
    problem: Problem | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The exit code if nothing is corrected."""
        return ExitCode.FAILED if self.problem else compute_drift_exit_code(one.status for one in self.secrets)


def detect_secret_drift(
    policies: Sequence[Policy], kubeconfig: str | None, context: str | None, quarantines: Sequence[Quarantine]
) -> SecretsDrift | None:
    """Compare every pull secret with what a person applied; None if the settings have none.

    Reads no password, and needs get on secrets and service accounts, and list on namespaces for a selector.
    """
    requested = list_requested(policies)
    if not requested:
        return None
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - lightkube is slow to import

    try:
        cluster = open_cluster(kubeconfig, context)
    except AgentError as error:
        return SecretsDrift(problem=error.problem)
    with cluster:
        found = [one for registry, secret in requested for one in _check_registry(cluster, registry, secret)]
    return SecretsDrift(
        secrets=tuple(replace(one, quarantine=find_quarantine(quarantines, one.key, one.place)) for one in found)
    )


def _check_registry(cluster: Cluster, registry: Registry, secret: SecretPolicy) -> Iterator[DriftedSecret]:
    blank = DriftedSecret(
        registry=registry.address.entry,
        name=secret.name,
        namespace=str(build_namespaces(secret)),
        status=DriftStatus.FAILED,
        place=cluster.server,
    )
    namespaces = cluster.namespaces(build_namespaces(secret))
    if isinstance(namespaces, Problem):
        yield replace(blank, reason=namespaces.message, problem=namespaces)
        return
    scopes = _recall_scopes(cluster.server, registry.address.entry, secret.name)
    applied, unlisted = _list_applied(cluster, scopes)
    for namespace in namespaces:
        one = replace(blank, namespace=namespace, scope=applied.get(namespace))
        if unlisted and one.scope is None:
            yield replace(one, reason=unlisted.message, problem=unlisted)
        else:
            yield _check_namespace(cluster, registry, secret, one, is_known=bool(scopes))


def _check_namespace(
    cluster: Cluster, registry: Registry, secret: SecretPolicy, one: DriftedSecret, *, is_known: bool
) -> DriftedSecret:
    from harbor_agent.kubernetes.namespaces import find_incarnation  # noqa: PLC0415 - lightkube is slow to import
    from harbor_agent.kubernetes.secrets import read_secret  # noqa: PLC0415 - as above
    from harbor_agent.kubernetes.service_accounts import plan_attachment  # noqa: PLC0415 - as above

    observed = read_secret(cluster.client, one.namespace, one.name)
    if isinstance(observed, Problem):
        return replace(one, reason=observed.message, problem=observed)
    names = one.scope.form.service_accounts if one.scope else secret.service_accounts
    place = ObservedPlace(
        namespace=one.namespace,
        name=one.name,
        observed=observed,
        accounts=tuple(plan_attachment(cluster.client, one.namespace, name, one.name) for name in names),
    )
    found = classify_secret(place, build_form(registry, secret), one.scope, is_known=is_known)
    checked = replace(one, status=found.status, reason=found.reason, problem=found.problem)
    if found.status is DriftStatus.IN_SYNC:
        return checked
    incarnation = find_incarnation(cluster.client, one.namespace)
    if isinstance(incarnation, Problem):
        status = DriftStatus.FAILED if incarnation.code == "namespace-missing" else DriftStatus.SKIPPED
        return replace(checked, status=status, reason=incarnation.message, problem=incarnation)
    is_new = one.scope is not None and _is_later(incarnation.created, one.scope.applied)
    return replace(checked, incarnation=incarnation.uid, is_new=is_new)


def _is_later(created: datetime | None, applied: str) -> bool:
    return created is not None and applied != "" and created > datetime.fromisoformat(applied)


def _recall_scopes(server: str, registry: str, name: str) -> list[SecretScope]:
    """Return what persons applied, newest first; an unusable history knows nothing, and the report says so."""
    from harbor_agent.engine.history.scopes import ScopeLog  # noqa: PLC0415 - SQLite is not needed without secrets

    try:
        with ScopeLog() as log:
            return log.list_scopes(server, registry, name)
    except AgentError:
        return []


def _list_applied(cluster: Cluster, scopes: Sequence[SecretScope]) -> tuple[dict[str, SecretScope], Problem | None]:
    """Return the newest scope of each namespace, also of those that a selector takes in by now.

    And why the namespaces of a scope could not be listed, if so.
    """
    applied: dict[str, SecretScope] = {}
    unlisted = None
    for scope in scopes:
        namespaces = cluster.namespaces(scope.namespaces)
        if isinstance(namespaces, Problem):
            unlisted = namespaces
            continue
        for namespace in namespaces:
            applied.setdefault(namespace, scope)
    return applied, unlisted
