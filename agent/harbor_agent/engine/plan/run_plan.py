"""The plan of a run: the request resolved, every node probed and planned, secrets planned. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from harbor_agent.engine.dns.advice import find_names_missing_in_dns
from harbor_agent.engine.plan.cluster_runtime import check_cluster_runtimes
from harbor_agent.engine.plan.dns import find_nameservers, plan_dns_of_run
from harbor_agent.engine.plan.fleet import load_fleet
from harbor_agent.engine.plan.nodes import load_templates, open_transport, plan_nodes, refuse_node
from harbor_agent.engine.plan.offline import plan_tree
from harbor_agent.engine.plan.pending import end_pending_transactions
from harbor_agent.engine.plan.reachability import find_unreachable_registries
from harbor_agent.engine.plan.settle import replan_busy_nodes
from harbor_agent.engine.request.expiry import describe_ending, find_certificate_ends
from harbor_agent.engine.request.resolve import require_registry, resolve, resolve_logins
from harbor_agent.engine.secrets.reconcile import plan_secrets
from harbor_agent.errors import UsageError
from harbor_agent.model.plan import Plan
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import RunKind
from harbor_agent.planning import node as planning
from harbor_agent.planning.rollout.consent import find_objection_to_restart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harbor_agent.engine.dns.report import DnsReport
    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.request.resolve import Resolved
    from harbor_agent.engine.secrets.report import SecretsReport
    from harbor_agent.errors import Problem
    from harbor_agent.model.address import Address
    from harbor_agent.model.inventory import Node, Scope
    from harbor_agent.model.policy import Credentials, Policy
    from harbor_agent.planning.secrets.desired import DesiredSecret
    from harbor_agent.transport.protocol import Transport

    Choice = Callable[[Transport, Sequence[Node]], Sequence[Node]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """The planned nodes of a run, its logins, its secrets and its names for the cluster's DNS (None: no part of it).

    `asking` are the nodes that ask DNS, () for those of the run. `accepts_unproven` lets the nodes follow although it
    is not proven that DNS answers as planned. `resumes` is the run that this one resumes, `rolls_back` the run that a
    rollback undoes, or "last" or "pristine", `after` the run that was its canary. `lock_timeout` is how long it waits
    for another run, in seconds. `scope` is None for a tree; `other_policies` are those of nodes in other shards, if
    this one does what is done once for the cluster.
    """

    request: RunRequest
    general: Policy
    nodes: tuple[PlannedNode, ...]
    credentials: Mapping[str, Credentials] = field(default_factory=dict)
    desired_secrets: tuple[DesiredSecret, ...] = ()
    secrets: SecretsReport | None = None
    warnings: tuple[Problem, ...] = ()
    dns: DnsReport | None = None
    asking: tuple[Node, ...] = ()
    accepts_unproven: bool = False
    lock_timeout: float = 0.0
    kind: RunKind = RunKind.APPLY
    resumes: str | None = None
    rolls_back: str | None = None
    after: str | None = None
    scope: Scope | None = None
    other_policies: tuple[Policy, ...] = ()

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The general policy, then that of each node."""
        return (self.general, *(planned.policy for planned in self.nodes), *self.other_policies)

    @property
    def does_cluster_part(self) -> bool:
        """Whether the run does what is done once for the cluster: logins, DNS, secrets, waiting pods."""
        return self.scope is None or self.scope.does_cluster_part

    @property
    def cluster(self) -> str:
        """`Cluster.server` of the cluster whose DNS or pull secrets were planned; "" if none was, or could be."""
        return next((part.cluster for part in (self.dns, self.secrets) if part and part.cluster), "")


def plan_run(
    request: RunRequest, listener: Listener, choose: Choice = lambda _, nodes: nodes, *, wait: bool = False
) -> RunPlan:
    """Plan every node and secret of a request. Raises UsageError for an error in settings, inventory or logins.

    `choose` returns the nodes to plan, of those that the request selects. With `wait`, nodes on which a transaction is
    under way are planned once it has ended, if it ends within `rollout.health_deadline`.
    """
    if request.root is not None:
        resolved = resolve(request)
        require_registry(resolved.policies)
        return RunPlan(request=request, general=resolved.general, nodes=(plan_tree(request.root, resolved),))
    fleet = load_fleet(request.selection, listener)
    resolved = resolve(request, fleet.nodes)
    require_registry(resolved.policies)
    resolved = resolve_logins(resolved)
    transport = open_transport(request.selection)
    own = {node.name for node in fleet.own_nodes}
    chosen = {node.name for node in choose(transport, fleet.own_nodes)}
    nodes = [(node, policy) for node, policy in resolved.nodes if node.name in chosen]
    planned = plan_nodes(transport, nodes, request, listener)
    if wait:
        planned = _settle_nodes(transport, planned, request, listener)
    planned = check_cluster_runtimes(planned, resolved.general.kubeconfig, request.flags.context)
    if request.only_unmanaged:
        planned = [_skip_managed(one) for one in planned]
    reached = [one.node for one in planned if one.state is not None]
    does_cluster_part = fleet.scope.does_cluster_part
    nameservers = partial(find_nameservers, transport, reached)
    dns = plan_dns_of_run(resolved.general, request.flags.context, nameservers) if does_cluster_part else None
    secrets = (
        plan_secrets(resolved.secrets, resolved.general.kubeconfig, request.flags.context)
        if does_cluster_part
        else None
    )
    return RunPlan(
        request=request,
        general=resolved.general,
        nodes=tuple(planned),
        dns=dns,
        scope=fleet.scope,
        other_policies=tuple(policy for node, policy in resolved.nodes if does_cluster_part and node.name not in own),
        credentials=resolved.credentials,
        desired_secrets=resolved.secrets,
        secrets=secrets,
        warnings=(
            *find_names_missing_in_dns(_map_registries(planned, dns)),
            *describe_ending(find_certificate_ends(resolved.policies)),
        ),
    )


def _settle_nodes(
    transport: Transport, planned: Sequence[PlannedNode], request: RunRequest, listener: Listener
) -> list[PlannedNode]:
    """Plan the nodes again on which an earlier run left a transaction, once it has ended."""

    def replan(nodes: Sequence[PlannedNode]) -> list[PlannedNode]:
        return plan_nodes(transport, [(p.node, p.policy) for p in nodes], request, listener)

    seconds = max((p.policy.rollout.health_deadline for p in planned), default=0)
    settled = replan_busy_nodes(transport, planned, replan, seconds, listener)
    return end_pending_transactions(transport, settled, replan, listener)


def _map_registries(planned: Sequence[PlannedNode], dns: DnsReport | None) -> dict[Address, tuple[str, ...]]:
    """Return the registries that should be present, each with what the first node that resolves its name gets.

    Those that the run adds to the cluster's DNS are left out.
    """
    added = {entry.name for entry in dns.present} if dns else set()
    found: dict[Address, tuple[str, ...]] = {}
    for node in planned:
        resolved = {seen.entry: seen.resolved or () for seen in node.state.reachability} if node.state else {}
        for registry in node.policy.present:
            if registry.address.host.lower() in added:
                continue
            if not found.get(registry.address):
                found[registry.address] = resolved.get(registry.address.entry, ())
    return found


def refuse_unconsented_restarts(run_plan: RunPlan) -> RunPlan:
    """Refuse every node and DNS server whose restart needs the operator's consent."""
    nodes = tuple(refuse_unconsented(planned) for planned in run_plan.nodes)
    return replace(run_plan, nodes=nodes, dns=run_plan.dns and run_plan.dns.refuse_unconsented())


def note_objections(run_plan: RunPlan) -> RunPlan:
    """Return the plan with what `apply` will refuse unless the operator consents: for each node, and for the run."""
    nodes = tuple(replace(planned, objection=_find_objection(planned)) for planned in run_plan.nodes)
    unreachable = find_unreachable_registries(run_plan.nodes)
    warnings = (*run_plan.warnings, *([unreachable] if unreachable else []))
    return replace(run_plan, nodes=nodes, warnings=warnings, dns=run_plan.dns and run_plan.dns.note_objections())


def require_drain(run_plan: RunPlan) -> RunPlan:
    """Return the plan with nodes drained before a restart, even if the settings do not ask for it."""
    general = replace(run_plan.general, rollout=replace(run_plan.general.rollout, drain=True))
    return replace(run_plan, general=general, request=replace(run_plan.request, drain=True))


def require_pods(run_plan: RunPlan, *, prove: bool, retry: bool) -> RunPlan:
    """Return the plan with pods that prove the pulls, or with waiting pods made again, if either is requested."""
    request = run_plan.request
    wanted = replace(request, prove_with_pods=request.prove_with_pods or prove, retry_pods=request.retry_pods or retry)
    return replace(run_plan, request=wanted)


def refuse_unconsented(planned: PlannedNode) -> PlannedNode:
    """Refuse the node if its restart needs the operator's consent."""
    problem = _find_objection(planned)
    return refuse_node(planned, problem) if problem else planned


def _find_objection(planned: PlannedNode) -> Problem | None:
    plan = planned.decision
    return find_objection_to_restart(plan) if isinstance(plan, Plan) else None


def render_drop_in(resolved: Resolved) -> str:
    """Return docker-options.conf as the KubeSphere guide has it. Raises UsageError if no registry is named."""
    addresses = [r.address for r in resolved.general.present if r.address.needs_node_change]
    if not addresses:
        raise UsageError.of(
            "registry-missing", "no plain-HTTP registry is named", "name one with --registry or in harbor-agent.yaml"
        )
    return planning.render_drop_in(addresses, load_templates())


def _skip_managed(planned: PlannedNode) -> PlannedNode:
    record = planning.find_record(planned.state) if planned.state else None
    if record is None:
        return planned
    reason = f"already managed: it has the record of run {record.run_id}"
    return replace(planned, outcome=Outcome.SKIPPED, decision=None, problem=None, reason=reason)
