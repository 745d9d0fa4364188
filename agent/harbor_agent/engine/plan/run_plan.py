"""What a run is about: the request read, every node looked at and planned. Nothing is changed anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harbor_agent import resources
from harbor_agent.engine.dns.advice import names_pods_miss
from harbor_agent.engine.plan.nodes import load_nodes, open_transport, plan_fleet, refused
from harbor_agent.engine.plan.offline import plan_tree
from harbor_agent.engine.request.config_file import load_configuration
from harbor_agent.engine.request.request import Policies
from harbor_agent.engine.secrets.secrets import credentials_of, plan_secrets, wanted_secrets
from harbor_agent.errors import UsageError
from harbor_agent.model.plan import Plan
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import RunKind
from harbor_agent.planning.docker.disruption import objection_to_restart
from harbor_agent.planning.files import render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.request.request import Asked
    from harbor_agent.engine.secrets.secrets import SecretsReport, WantedSecret
    from harbor_agent.errors import Problem
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.policy import Credentials, Policy
    from harbor_agent.transport.protocol import Transport

    Choice = Callable[[Transport, Sequence[Node]], Sequence[Node]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What a run is about: its nodes planned, the logins and secrets that go with them.

    `resumes` is the run that it takes up.
    """

    asked: Asked
    general: Policy
    nodes: tuple[PlannedNode, ...]
    credentials: Mapping[str, Credentials] = field(default_factory=dict)
    wanted_secrets: tuple[WantedSecret, ...] = ()
    secrets: SecretsReport | None = None
    findings: tuple[Problem, ...] = ()
    kind: RunKind = RunKind.APPLY
    resumes: str | None = None


def plan_run(asked: Asked, listener: Listener, choose: Choice = lambda _, nodes: nodes) -> Fleet:
    """Look at everything and decide; nothing is changed anywhere. Raises UsageError for what is wrong before that.

    `choose` returns the nodes to look at, of those that were asked for.
    """
    policies = policies_of(asked)
    general = policies.general()
    if asked.root is not None:
        _require_registry([general])
        return Fleet(asked=asked, general=general, nodes=(plan_tree(asked.root, policies, asked.docker_version),))
    nodes = load_nodes(asked.reach, listener)
    per_node = [policies.for_node(node) for node in nodes if node.skip_reason is None]
    everything = [general, *per_node]
    _require_registry(everything)
    credentials = credentials_of(everything)
    wanted = wanted_secrets(everything, credentials, asked.flags)
    transport = open_transport(asked.reach)
    planned = plan_fleet(transport, choose(transport, nodes), policies, listener)
    if asked.only_unmanaged:
        planned = [_left_alone_if_managed(one) for one in planned]
    return Fleet(
        asked=asked,
        general=general,
        nodes=tuple(planned),
        credentials=credentials,
        wanted_secrets=tuple(wanted),
        secrets=plan_secrets(wanted, general.kubeconfig, asked.flags.context),
        findings=tuple(names_pods_miss(planned)),
    )


def hold_back_restarts(fleet: Fleet) -> Fleet:
    """Refuse every node whose restart would stop containers that nobody starts again."""
    return replace(fleet, nodes=tuple(without_consent(planned) for planned in fleet.nodes))


def with_drain(fleet: Fleet) -> Fleet:
    """Have nodes drained before a restart, whatever the settings say."""
    general = replace(fleet.general, rollout=replace(fleet.general.rollout, drain=True))
    return replace(fleet, general=general, asked=replace(fleet.asked, drain=True))


def without_consent(planned: PlannedNode) -> PlannedNode:
    """Return the node refused where its restart would stop containers that nobody starts again."""
    plan = planned.decision
    problem = objection_to_restart(plan) if isinstance(plan, Plan) else None
    return refused(planned, problem) if problem else planned


def policies_of(asked: Asked) -> Policies:
    """Read the settings and put the flags on top. Raises UsageError for what is wrong in them."""
    return Policies(
        file=load_configuration(asked.config),
        flags=asked.flags,
        repair=asked.repair,
        live_restore=asked.live_restore,
    )


def render_drop_in(policies: Policies) -> str:
    """Return docker-options.conf as the KubeSphere guide has it. Raises UsageError where no registry is named."""
    registries = policies.general().registries
    wanted = [r.address for r in registries if r.state == "present" and r.address.needs_node_change]
    if not wanted:
        raise UsageError.of(
            "registry-missing", "no plain-HTTP registry is named", "name one with --registry or in harbor-agent.yaml"
        )
    return render.render_drop_in(wanted, resources.template("docker-options.conf.j2"))


def _require_registry(policies: list[Policy]) -> None:
    if not any(policy.registries for policy in policies):
        raise UsageError.of(
            "registry-missing", "which registry? None is named", "name one with --registry or in harbor-agent.yaml"
        )


def _left_alone_if_managed(planned: PlannedNode) -> PlannedNode:
    record = planned.state.record if planned.state else None
    if record is None:
        return planned
    reason = f"managed already: run {record.run_id} left its record"
    return replace(planned, outcome=Outcome.SKIPPED, decision=None, problem=None, reason=reason)
