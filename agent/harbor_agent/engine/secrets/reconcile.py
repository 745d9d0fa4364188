"""Every pull secret of a run in each of its namespaces, planned or applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.secrets.report import SecretItem, SecretsReport
from harbor_agent.errors import AgentError, Problem
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import ALL_NAMESPACES, SecretResult, SecretScope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.model.secret import Namespaces, SecretPlan, SecretSpec
    from harbor_agent.planning.secrets.desired import DesiredSecret

    _Action = Callable[[Cluster, SecretSpec, str], SecretPlan | SecretResult]
    Remember = Callable[[Sequence[SecretScope]], list[Problem]]


_APPLIED = frozenset({Outcome.CHANGED, Outcome.UNCHANGED})


def plan_secrets(secrets: Sequence[DesiredSecret], kubeconfig: str | None, context: str | None) -> SecretsReport | None:
    """Plan every secret in each of its namespaces; None if there is no secret to plan. Nothing is changed."""
    if not secrets:
        return None
    from harbor_agent.engine.secrets.sync import plan_secret  # noqa: PLC0415 - lightkube is slow to import

    return _sync_all(secrets, kubeconfig, context, plan_secret)


def apply_secrets(
    secrets: Sequence[DesiredSecret],
    kubeconfig: str | None,
    context: str | None,
    remember: Remember | None = None,
) -> SecretsReport | None:
    """Create or update every secret if necessary and attach it; None if there is no secret to apply.

    `remember` is given what was applied; a correction, which no person asked for, has none.
    """
    if not secrets:
        return None
    from harbor_agent.engine.secrets.sync import apply_secret  # noqa: PLC0415 - lightkube is slow to import

    return _sync_all(secrets, kubeconfig, context, apply_secret, remember)


def skip_secrets(secrets: Sequence[DesiredSecret], reason: Problem) -> SecretsReport | None:
    """Return the report of secrets that were not checked because the run ended before; None without secrets."""
    return _report_all(secrets, Outcome.SKIPPED, reason)


def _sync_all(
    secrets: Sequence[DesiredSecret],
    kubeconfig: str | None,
    context: str | None,
    act: _Action,
    remember: Remember | None = None,
) -> SecretsReport | None:
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - lightkube is slow to import

    try:
        cluster = open_cluster(kubeconfig, context)
    except AgentError as error:
        return _report_all(secrets, Outcome.FAILED, error.problem)
    with cluster:
        parts = [_sync_namespaces(cluster, desired, act) for desired in secrets]
        items = tuple(item for part, _ in parts for item in part)
        warnings = [warning for _, unmatched in parts for warning in unmatched]
        warnings += [warning for item in items for warning in item.result.warnings]
        warnings += _find_leftovers(cluster, secrets, items)
        warnings += remember(_list_scopes(cluster, secrets, items)) if remember else []
        return SecretsReport(items=items, warnings=tuple(warnings), cluster=cluster.server)


def _sync_namespaces(cluster: Cluster, desired: DesiredSecret, act: _Action) -> tuple[list[SecretItem], list[Problem]]:
    namespaces = cluster.namespaces(desired.namespaces)
    if isinstance(namespaces, Problem):
        return _build_items(desired, Outcome.FAILED, namespaces), []
    registry = desired.spec.address.entry
    items = [SecretItem(registry=registry, result=act(cluster, desired.spec, namespace)) for namespace in namespaces]
    return items, [] if namespaces else [_describe_no_match(desired.namespaces)]


def _list_scopes(cluster: Cluster, secrets: Sequence[DesiredSecret], items: Sequence[SecretItem]) -> list[SecretScope]:
    """Return what was applied; a secret that could be written to no namespace was not."""
    failed = {(one.registry, one.result.name) for one in items if one.result.outcome not in _APPLIED}
    written = {(one.registry, one.result.name) for one in items if one.result.outcome in _APPLIED}
    return [
        SecretScope(
            server=cluster.server,
            registry=desired.spec.address.entry,
            name=desired.spec.name,
            namespaces=cluster.name_context(desired.namespaces),
            form=desired.spec.form,
            username=desired.spec.credentials.username,
        )
        for desired in secrets
        if (desired.spec.address.entry, desired.spec.name) not in failed - written
    ]


def _describe_no_match(namespaces: Namespaces) -> Problem:
    """Return the warning that no namespace matches."""
    return Problem(
        code="namespaces-none-match",
        message=f"no namespace matches {namespaces}",
        hint="check names and labels: kubectl get namespaces --show-labels",
    )


def _find_leftovers(cluster: Cluster, secrets: Sequence[DesiredSecret], items: Sequence[SecretItem]) -> list[Problem]:
    """Return a warning for each secret of ours for these registries elsewhere, as far as the user may list them."""
    from harbor_agent.formats.pull_secret import find_registry_hosts  # noqa: PLC0415 - YAML is not needed for --help

    entries = {
        entry
        for desired in secrets
        if desired.report_leftovers
        for entry in (desired.spec.address.entry, *desired.removed)
    }
    labelled = cluster.labelled(ALL_NAMESPACES) if entries else ()
    if isinstance(labelled, Problem) or any(item.result.outcome is Outcome.FAILED for item in items):
        return []
    known = {(item.result.namespace, item.result.name) for item in items}
    return [
        Problem(
            code="secret-no-longer-wanted",
            message=f"secret {one.namespace}/{one.name} was created by harbor-agent and is no longer requested; "
            "it is not updated",
            hint=f"harbor-agent secret remove --registry {entry} --secret-name {one.name} -n {one.namespace}",
        )
        for one in labelled
        if one.observed.is_ours and (one.namespace, one.name) not in known
        for entry in sorted(find_registry_hosts(one.observed) & entries)
    ]


def _report_all(secrets: Sequence[DesiredSecret], outcome: Outcome, problem: Problem) -> SecretsReport | None:
    items = [item for desired in secrets for item in _build_items(desired, outcome, problem)]
    return SecretsReport(items=tuple(items)) if items else None


def _build_items(desired: DesiredSecret, outcome: Outcome, problem: Problem) -> list[SecretItem]:
    """Return an item for each namespace, or a single one if only the cluster knows which those are."""
    places = (str(desired.namespaces),) if desired.namespaces.needs_the_cluster else desired.namespaces.names
    return [
        SecretItem(
            registry=desired.spec.address.entry,
            result=SecretResult(namespace=place, name=desired.spec.name, outcome=outcome, problem=problem),
        )
        for place in places
    ]
