"""The cluster side of a run: which pull secrets are wanted, whether their logins are right, what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harbor_agent.errors import AgentError, Problem
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import ALL_NAMESPACES, SecretResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.model.policy import Credentials, Policy, Registry
    from harbor_agent.model.secret import Namespaces, SecretPlan, SecretSpec
    from harbor_agent.planning.secrets.desired import DesiredSecret

# What says that the login itself is wrong. Anything else (a registry that is down or does not answer this machine,
# a missing image) is told, and the nodes' own pulls decide.
_LOGIN_IS_WRONG = frozenset(
    {
        "registry-credentials-wrong",
        "registry-pull-denied",
        "registry-realm-downgrade",
        "registry-realm-invalid",
        "registry-token-missing",
        "registry-token-refused",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretItem:
    """One secret in one namespace, planned or done. `registry` is its entry."""

    registry: str
    result: SecretPlan | SecretResult


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsReport:
    """All secrets of a run, and what is worth telling about the registries they are for."""

    items: tuple[SecretItem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def status(self) -> Literal["failed", "changed", "change", "unchanged", "skipped"]:
        """The one word for all of it: the worst of its parts."""
        outcomes = {item.result.outcome for item in self.items}
        outcomes |= {account.outcome for item in self.items for account in item.result.service_accounts}
        if outcomes & {Outcome.FAILED, Outcome.REFUSED}:
            return "failed"
        if Outcome.CHANGED in outcomes:
            return "changed"
        if Outcome.CHANGE in outcomes:
            return "change"
        return "skipped" if outcomes == {Outcome.SKIPPED} else "unchanged"


def check_logins(
    policies: Sequence[Policy], credentials: Mapping[str, Credentials], *, must_answer: bool = False
) -> list[Problem]:
    """Ask each registry about its login, one at a time; return what is worth telling.

    Raises AgentError where a registry rejects its login, before anything is changed; with `must_answer` also for
    any other reason why the login cannot pull.
    """
    registries = {r.address.entry: r for p in policies for r in p.present if r.address.entry in credentials}
    if not registries:
        return []
    from harbor_agent.registry.validate import validate  # noqa: PLC0415 - HTTP is slow to import

    warnings: list[Problem] = []
    for registry in registries.values():
        repository, reference = _image(registry)
        answer = validate(
            registry.address, credentials[registry.address.entry], repository=repository, reference=reference
        )
        warnings += answer.notes
        if answer.problem is None:
            continue
        if must_answer or answer.problem.code in _LOGIN_IS_WRONG:
            raise AgentError(answer.problem)
        warnings.append(answer.problem)
    return warnings


def plan_secrets(secrets: Sequence[DesiredSecret], kubeconfig: str | None, context: str | None) -> SecretsReport | None:
    """Ask the cluster what would be done; None where no secret is wanted."""
    if not secrets:
        return None
    from harbor_agent.engine.secrets.sync import plan_secret  # noqa: PLC0415 - lightkube is slow to import

    return _each(secrets, kubeconfig, context, plan_secret)


def apply_secrets(
    secrets: Sequence[DesiredSecret], kubeconfig: str | None, context: str | None
) -> SecretsReport | None:
    """Create, update or leave alone every secret and attach it; None where none is wanted."""
    if not secrets:
        return None
    from harbor_agent.engine.secrets.sync import apply_secret  # noqa: PLC0415 - lightkube is slow to import

    return _each(secrets, kubeconfig, context, apply_secret)


def skipped_secrets(secrets: Sequence[DesiredSecret], reason: Problem) -> SecretsReport | None:
    """Return the report of secrets that were not looked at because the run ended before."""
    return _all_with(secrets, Outcome.SKIPPED, reason)


def _each(
    secrets: Sequence[DesiredSecret],
    kubeconfig: str | None,
    context: str | None,
    act: Callable[[Cluster, SecretSpec, str], SecretPlan | SecretResult],
) -> SecretsReport | None:
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - lightkube is slow to import

    try:
        cluster = open_cluster(kubeconfig, context)
    except AgentError as error:
        return _all_with(secrets, Outcome.FAILED, error.problem)
    with cluster:
        parts = [_in_its_namespaces(cluster, wanted, act) for wanted in secrets]
        items = tuple(item for part, _ in parts for item in part)
        warnings = [warning for _, told in parts for warning in told]
        warnings += [warning for item in items for warning in item.result.warnings]
        warnings += _no_longer_wanted(cluster, secrets, items)
    return SecretsReport(items=items, warnings=tuple(warnings))


def _in_its_namespaces(
    cluster: Cluster, wanted: DesiredSecret, act: Callable[[Cluster, SecretSpec, str], SecretPlan | SecretResult]
) -> tuple[list[SecretItem], list[Problem]]:
    namespaces = cluster.namespaces(wanted.namespaces)
    if isinstance(namespaces, Problem):
        return _with_problem(wanted, Outcome.FAILED, namespaces), []
    registry = wanted.spec.address.entry
    items = [SecretItem(registry=registry, result=act(cluster, wanted.spec, namespace)) for namespace in namespaces]
    return items, [] if namespaces else [none_match(wanted.namespaces)]


def none_match(namespaces: Namespaces) -> Problem:
    """Return what to tell where no namespace is meant."""
    return Problem(
        code="namespaces-none-match",
        message=f"no namespace is meant by {namespaces}",
        hint="kubectl get namespaces --show-labels",
    )


def _no_longer_wanted(cluster: Cluster, secrets: Sequence[DesiredSecret], items: Sequence[SecretItem]) -> list[Problem]:
    """Tell which secrets of ours for these registries are elsewhere, as far as the user may list them."""
    from harbor_agent.formats.pull_secret import find_registry_hosts  # noqa: PLC0415 - YAML is not needed for --help

    entries = {
        entry for wanted in secrets if wanted.report_leftovers for entry in (wanted.spec.address.entry, *wanted.removed)
    }
    ours = cluster.ours(ALL_NAMESPACES) if entries else ()
    if isinstance(ours, Problem) or any(item.result.outcome is Outcome.FAILED for item in items):
        return []
    known = {(item.result.namespace, item.result.name) for item in items}
    return [
        Problem(
            code="secret-no-longer-wanted",
            message=f"secret {one.namespace}/{one.name} is ours and no longer asked for; it is not updated",
            hint=f"harbor-agent secret remove --registry {entry} --secret-name {one.name} -n {one.namespace}",
        )
        for one in ours
        if (one.namespace, one.name) not in known
        for entry in sorted(find_registry_hosts(one.observed) & entries)
    ]


def _all_with(secrets: Sequence[DesiredSecret], outcome: Outcome, problem: Problem) -> SecretsReport | None:
    items = [item for wanted in secrets for item in _with_problem(wanted, outcome, problem)]
    return SecretsReport(items=tuple(items)) if items else None


def _with_problem(wanted: DesiredSecret, outcome: Outcome, problem: Problem) -> list[SecretItem]:
    """Return an item a namespace, or one for all where only the cluster could tell which those are."""
    places = (str(wanted.namespaces),) if wanted.namespaces.needs_the_cluster else wanted.namespaces.names
    return [
        SecretItem(
            registry=wanted.spec.address.entry,
            result=SecretResult(namespace=place, name=wanted.spec.name, outcome=outcome, problem=problem),
        )
        for place in places
    ]


def _image(registry: Registry) -> tuple[str | None, str | None]:
    if not registry.verify_image:
        return None, None
    name, at, digest = registry.verify_image.partition("@")
    if at:
        return name, digest
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon else (name, "latest")
