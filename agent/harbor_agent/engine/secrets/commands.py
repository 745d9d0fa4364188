"""The commands that manage pull secrets alone; no node is read or changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from harbor_agent.engine.request.credentials import read_logins
from harbor_agent.engine.request.expiry import describe_ending, find_certificate_ends
from harbor_agent.engine.request.resolve import require_registry, resolve_logins
from harbor_agent.engine.secrets.logins import check_logins, prove_logins
from harbor_agent.engine.secrets.reconcile import apply_secrets, plan_secrets
from harbor_agent.engine.secrets.report import SecretItem, SecretsReport
from harbor_agent.engine.workloads.waiting import handle_waiting_pods
from harbor_agent.errors import AgentError, ExitCode, Problem, UsageError
from harbor_agent.formats.object_names import check_names
from harbor_agent.model.policy import SecretPolicy
from harbor_agent.model.secret import ALL_NAMESPACES
from harbor_agent.planning.secrets.desired import build_namespaces
from harbor_agent.planning.secrets.kubesphere import describe_validation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.request.resolve import Resolved
    from harbor_agent.engine.secrets.reconcile import Remember
    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.model.address import Address
    from harbor_agent.model.secret import Namespaces, SecretPlan, SecretResult

    Forget = Callable[[str, str, str, Namespaces, Sequence[str]], list[Problem]]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedSecret:
    """A secret that this tool created, without its password, and the service accounts that it attached it to.

    `is_copy`: somebody else made it from one of ours; it is never updated as ours and never removed.
    """

    namespace: str
    name: str
    registry: str
    username: str
    service_accounts: tuple[str, ...] = ()
    is_copy: bool = False


def apply_pull_secrets(
    resolved: Resolved, listener: Listener = lambda _: None, remember: Remember | None = None
) -> tuple[SecretsReport, ExitCode]:
    """Check the logins and apply the secrets; the warnings include pods that still wait for an image.

    `remember` is that of `apply_secrets`.
    Raises AgentError if a registry rejects its login.
    """
    resolved = resolve_logins(_add_default_secrets(resolved))
    warnings = check_logins(resolved.policies, resolved.credentials)
    report = apply_secrets(resolved.secrets, resolved.general.kubeconfig, resolved.request.flags.context, remember)
    report = report or SecretsReport()
    waiting = handle_waiting_pods(resolved.policies, resolved.secrets, resolved.request, listener)
    report = replace(report, warnings=(*warnings, *report.warnings, *waiting))
    return report, ExitCode.FAILED if report.status == "failed" else ExitCode.DONE


def preview_pull_secrets(resolved: Resolved, *, check: bool) -> SecretsReport:
    """Return what `apply_pull_secrets` would change, tried on the server as a dry run.

    With `check` the logins are checked at their registries as well. Raises AgentError if one is rejected.
    """
    resolved = resolve_logins(_add_default_secrets(resolved))
    warnings = check_logins(resolved.policies, resolved.credentials) if check else []
    report = plan_secrets(resolved.secrets, resolved.general.kubeconfig, resolved.request.flags.context)
    report = report or SecretsReport()
    return replace(report, warnings=(*warnings, *report.warnings))


def render_pull_secrets(resolved: Resolved) -> str:
    """Return the manifests as YAML documents, passwords included.

    Raises UsageError if only the cluster knows the namespaces, and for a name that the API server does not accept.
    """
    from harbor_agent.formats.pull_secret import render_manifest  # noqa: PLC0415 - YAML is not needed for --help

    secrets = resolve_logins(_add_default_secrets(resolved)).secrets
    for secret in secrets:
        if secret.namespaces.needs_the_cluster:
            raise UsageError.of(
                "namespaces-unknown",
                f"cannot resolve namespaces {secret.namespaces} without contacting the cluster",
                "name them with -n",
            )
        for namespace in secret.namespaces.names_in_manifests:
            if invalid := check_names(namespace=namespace, secret=secret.spec.name):
                raise UsageError(invalid)
    return "".join(
        render_manifest(secret.spec, namespace)
        for secret in secrets
        for namespace in secret.namespaces.names_in_manifests
    )


def plan_secret_removal(resolved: Resolved) -> SecretsReport:
    """Return what `remove_pull_secrets` would do. Raises AgentError if the cluster does not answer."""
    from harbor_agent.engine.secrets.sync import plan_removal  # noqa: PLC0415 - lightkube is slow to import

    return _remove_each(resolved, plan_removal)


def remove_pull_secrets(resolved: Resolved, forget: Forget | None = None) -> tuple[SecretsReport, ExitCode]:
    """Detach and delete the secrets that this tool created. Raises AgentError if the cluster does not answer.

    `forget` is given the server, the registry, the name, the selection of namespaces, and those that it meant.
    """
    from harbor_agent.engine.secrets.sync import remove_secret  # noqa: PLC0415 - lightkube is slow to import

    report = _remove_each(resolved, remove_secret, forget)
    return report, ExitCode.FAILED if report.status == "failed" else ExitCode.DONE


def list_secrets(resolved: Resolved, namespaces: Sequence[str]) -> list[ManagedSecret]:
    """Return the secrets that this tool created, and copies of them, in the namespaces named or in all.

    Raises AgentError if the cluster does not answer or the user may not list them.
    """
    from harbor_agent.formats.pull_secret import find_registry_hosts, find_username  # noqa: PLC0415
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - lightkube is slow to import

    shown = []
    with open_cluster(resolved.general.kubeconfig, resolved.request.flags.context) as cluster:
        for namespace in namespaces or (ALL_NAMESPACES,):
            for one in _unwrap(cluster.labelled(namespace)):
                accounts = cluster.attached(one.namespace, one.name) if one.observed.is_ours else ()
                shown.append(
                    ManagedSecret(
                        namespace=one.namespace,
                        name=one.name,
                        registry=", ".join(sorted(find_registry_hosts(one.observed))),
                        username=find_username(one.observed),
                        service_accounts=() if isinstance(accounts, Problem) else accounts,
                        is_copy=not one.observed.is_ours,
                    )
                )
    return shown


def validate_logins(resolved: Resolved) -> tuple[list[Problem], list[Address]]:
    """Ask every registry about its login; return the warnings and the registries that did not request it.

    Raises AgentError for a login that cannot pull.
    """
    credentials = read_logins(resolved.policies)
    if not credentials:
        raise UsageError.of(
            "credentials-missing", "there is no login to validate", "specify --username and --password-stdin"
        )
    warnings, unproven = prove_logins(resolved.policies, credentials)
    registries = {one.address: one for policy in resolved.policies for one in policy.present}
    warnings += [*describe_ending(find_certificate_ends(resolved.policies)), *describe_validation(registries.values())]
    return warnings, unproven


def _remove_each(
    resolved: Resolved,
    act: Callable[[Cluster, str, str, Address], SecretPlan | SecretResult],
    forget: Forget | None = None,
) -> SecretsReport:
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - lightkube is slow to import

    policy = _add_default_secrets(resolved).general
    items: list[SecretItem] = []
    warnings: list[Problem] = []
    with open_cluster(policy.kubeconfig, resolved.request.flags.context) as cluster:
        for registry in policy.registries:
            entry, secret = registry.address.entry, registry.secret or SecretPolicy()
            namespaces = _find_namespaces(cluster, secret)
            items += [
                SecretItem(registry=entry, result=act(cluster, secret.name, namespace, registry.address))
                for namespace in namespaces
            ]
            if forget:
                selection = cluster.name_context(build_namespaces(secret))
                warnings += forget(cluster.server, entry, secret.name, selection, namespaces)
    return SecretsReport(items=tuple(items), warnings=tuple(warnings))


def _find_namespaces(cluster: Cluster, secret: SecretPolicy) -> Sequence[str]:
    """Return the namespaces named; of all, or of those by label, only the ones with such a secret or a copy of it."""
    selection = build_namespaces(secret)
    chosen = _unwrap(cluster.namespaces(selection))
    if not selection.needs_the_cluster:
        return chosen
    labelled = {one.namespace for one in _unwrap(cluster.labelled(ALL_NAMESPACES)) if one.name == secret.name}
    return [namespace for namespace in chosen if namespace in labelled]


def _unwrap(answer: _T | Problem) -> _T:
    if isinstance(answer, Problem):
        raise AgentError(answer)
    return answer


def _add_default_secrets(resolved: Resolved) -> Resolved:
    """Return the same with a secret for every registry, by the default name if the settings have none."""
    policy = resolved.general
    require_registry([policy])
    registries = tuple(replace(r, secret=r.secret or SecretPolicy()) for r in policy.registries)
    return replace(resolved, general=replace(policy, registries=registries))
