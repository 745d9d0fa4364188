"""What the tests of a rollout's side in the cluster share: planned nodes, how they ended, and their cordons."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harbor_agent.engine.plan.nodes import PlannedNode
from harbor_agent.engine.rollout.kubernetes_hooks import Deadlines
from harbor_agent.kubernetes.nodes import CORDONED_BY
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import Action, Activation, Plan
from harbor_agent.model.policy import Policy
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.model.state import NodeState, System

if TYPE_CHECKING:
    from harbor_agent.engine.rollout.hooks import RolloutHooks
    from tests.lab.apiserver import RunningApiServer

RUN = "20260101T000000Z-0001"
PATIENT = Deadlines(drain=60.0, ready=60.0)
SHORT = Deadlines(drain=1.0, ready=1.0)

Around = Callable[..., "RolloutHooks"]


def planned(
    name: str, *, action: Action = Action.RESTART, address: str = "", boot_id: str = "", runtime: str = "docker"
) -> PlannedNode:
    return PlannedNode(
        node=Node(name=name, address=address or name),
        policy=Policy(registries=()),
        outcome=Outcome.PENDING,
        decision=Plan(
            node=name,
            activation=Activation(runtime=runtime, unit=f"{runtime}.service", action=action),
            reason="test",
        ),
        state=NodeState(system=System(boot_id=boot_id)),
    )


def ended(name: str, outcome: Outcome = Outcome.CHANGED, *, verified: bool | None = True) -> NodeResult:
    return NodeResult(node=name, outcome=outcome, action=Action.RESTART, verified=verified)


def cordon_of(apiserver: RunningApiServer, name: str) -> tuple[bool, str | None]:
    node = apiserver.ask("GET", f"/api/v1/nodes/{name}")
    return bool(node["spec"].get("unschedulable")), node["metadata"].get("annotations", {}).get(CORDONED_BY)
