"""Which runtime of a node is planned: the only module that knows all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.model.policy import RuntimeChoice
from harbor_agent.planning.containerd import runtime as containerd
from harbor_agent.planning.containerd.k3s.runtime import k3s, rke2
from harbor_agent.planning.containerd.k3s.settings import is_server
from harbor_agent.planning.containers_image.runtime import crio, podman
from harbor_agent.planning.docker import runtime as docker
from harbor_agent.planning.docker.edits.render import render_drop_in
from harbor_agent.planning.kubelet import (
    build_refusal,
    build_warning,
    find_unwatched_restart,
    find_used_runtime,
    uses_docker,
    uses_socket,
)
from harbor_agent.planning.kubelet_login import add_logins
from harbor_agent.planning.names.change import add_names, restore_names
from harbor_agent.planning.names.hosts_file import PATH
from harbor_agent.planning.names.tree import observe_names
from harbor_agent.planning.refusal import RefusedError, find_pending_transaction
from harbor_agent.planning.trust_store import observe_trust_store

if TYPE_CHECKING:
    from harbor_agent.model.kubelet import Kubelet
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.snapshot import Snapshot
    from harbor_agent.model.state import NodeState, Record
    from harbor_agent.planning.files.render import Templates
    from harbor_agent.planning.kubelet import OtherRuntime
    from harbor_agent.planning.runtime import FileTree, Runtime

__all__ = [
    "RUNTIMES",
    "TREE_NAMES",
    "choose_runtime",
    "explain_runtime",
    "find_record",
    "find_runtime",
    "observe_tree",
    "plan_node",
    "plan_restoration",
    "render_drop_in",
    "runs_control_plane",
]

# Docker first: it is planned if both are present and neither kubelet nor the operator chooses.
RUNTIMES: tuple[Runtime, ...] = (docker, containerd, crio, podman, k3s, rke2)
# In a file system tree, these are containerd with files in another place.
_OBSERVERS = {"microk8s": containerd.observe_snap, "k0s": containerd.observe_k0s}
TREE_NAMES = (*(runtime.NAME for runtime in RUNTIMES), *_OBSERVERS)
TEMPLATES = tuple(name for runtime in RUNTIMES for name in runtime.TEMPLATES)


def choose_runtime(state: NodeState, choice: RuntimeChoice) -> NodeState:
    """Return the state with the operator's choice of a runtime, which then counts instead of kubelet's."""
    chosen = "" if choice is RuntimeChoice.AUTO else choice.value
    return state if state.chosen_runtime == chosen else replace(state, chosen_runtime=chosen)


def find_runtime(state: NodeState) -> Runtime:
    """Return the runtime to configure: the chosen one, the one that kubelet uses, or else the one that is in use.

    On a node that has none of them it is the first, which then refuses the node.
    """
    if state.chosen_runtime:
        return next(runtime for runtime in RUNTIMES if state.chosen_runtime == runtime.NAME)
    present = [runtime for runtime in RUNTIMES if runtime.is_present(state)]
    if state.kubelet:
        present = [one for one in present if one.find_socket(state) is not None]
        present = [one for one in present if _is_used_by(state.kubelet, one, state)] or present
    else:
        present = [runtime for runtime in present if runtime.is_in_use(state)] or present
    return present[0] if present else RUNTIMES[0]


def explain_runtime(state: NodeState) -> str:
    """Return the runtime to configure, and how it was found."""
    runtime = find_runtime(state)
    return f"{runtime.NAME}, because {_explain_choice(state, runtime)}"


def runs_control_plane(state: NodeState) -> bool:
    """Whether the node is known to run the API server: as a server of k3s or RKE2, which a restart restarts too."""
    return is_server(state)


def find_record(state: NodeState) -> Record | None:
    """Return what this tool last applied to the node's runtime."""
    return state.records.get(find_runtime(state).NAME)


def plan_node(node: str, state: NodeState, desired: DesiredState, templates: Templates) -> Plan | Refusal:
    """Plan one node. Never raises for what is on the node: a node that cannot be planned is a `Refusal`."""
    state = choose_runtime(state, desired.runtime)
    runtime = find_runtime(state)
    if problem := _find_ambiguity(state):
        return Refusal(node=node, runtime=runtime.NAME, problem=problem)
    decision = runtime.plan(node, state, desired, templates)
    if isinstance(decision, Plan):
        decision = add_names(decision, state, desired)
    if isinstance(decision, Plan):
        decision = add_logins(decision, state, desired)
    decision = replace(decision, warnings=(*decision.warnings, *_find_untrusting(state, runtime, desired)))
    kubelet = state.kubelet
    if kubelet and isinstance(decision, Plan) and runtime.NAME == containerd.NAME:
        decision = replace(decision, warnings=(*decision.warnings, *find_unwatched_restart(decision, kubelet)))
    if kubelet is None or not runtime.is_present(state) or _is_used_by(kubelet, runtime, state):
        return decision
    other = find_used_runtime(kubelet)
    return decision if other is None else judge_other_runtime(decision, desired.runtime, other)


def judge_other_runtime(decision: Plan | Refusal, choice: RuntimeChoice, other: OtherRuntime) -> Plan | Refusal:
    """Refuse the plan of a runtime that kubelet does not use, or warn if the operator chose that runtime."""
    warning = build_warning(other, decision.runtime)
    if choice is not RuntimeChoice.AUTO:
        if any(one.code == warning.code for one in decision.warnings):
            return decision
        return replace(decision, warnings=(*decision.warnings, warning))
    if isinstance(decision, Refusal) and decision.problem.code == "transaction-pending":
        return decision
    return Refusal(node=decision.node, runtime=decision.runtime, problem=build_refusal(other, decision.runtime))


def plan_restoration(node: str, state: NodeState, snapshot: Snapshot, reason: str) -> Plan | Refusal:
    """Plan the restoration of the files of a snapshot, for the runtime that it names or else the node's."""
    named = next((runtime for runtime in RUNTIMES if snapshot.runtime == runtime.NAME), None)
    earlier = {file.path: file.state for file in snapshot.files}
    hosts = earlier.pop(PATH, None)
    decision = (named or find_runtime(state)).restore(node, state, list(earlier.values()), reason)
    return restore_names(decision, state, hosts) if hosts and isinstance(decision, Plan) else decision


def observe_tree(tree: FileTree, version: str, name: str = docker.NAME) -> NodeState:
    """Read what planning needs from a file system tree, for a runtime of this name and version."""
    if name in _OBSERVERS:
        state = _OBSERVERS[name](tree)
    else:
        state = next(one for one in RUNTIMES if name == one.NAME).observe_tree(tree, version)
    return observe_names(tree, observe_trust_store(tree, state))


def _explain_choice(state: NodeState, runtime: Runtime) -> str:
    if state.chosen_runtime:
        return "--runtime, the settings or harbor_runtime choose it"
    if not runtime.is_present(state):
        return "no runtime was found on the node"
    if state.offline:
        return "the tree is planned for it"
    if state.kubelet:
        used = find_used_runtime(state.kubelet)
        return f"kubelet uses {used.source}" if used else "kubelet names no endpoint, and uses Docker before 1.24"
    others = [one for one in RUNTIMES if one is not runtime and one.is_present(state)]
    names = ", ".join(one.NAME for one in others)
    if any(one.is_in_use(state) for one in others):
        return f"no kubelet was found, and {runtime.NAME} comes before {names}"
    return f"no kubelet was found, and {names} does not run" if names else "no kubelet and no other runtime was found"


def _is_used_by(kubelet: Kubelet, runtime: Runtime, state: NodeState) -> bool:
    """Whether kubelet uses this runtime; an endpoint that is not known says nothing about Docker, as before 1.24."""
    socket = runtime.find_socket(state)
    if socket is None:
        return False
    if socket:
        return uses_socket(kubelet, socket)
    return uses_docker(kubelet)


def _find_ambiguity(state: NodeState) -> Problem | None:
    """Return the problem that several runtimes run on a node and nothing says which one counts."""
    if state.chosen_runtime or state.kubelet or state.offline or find_pending_transaction(state):
        return None
    running = [runtime.NAME for runtime in RUNTIMES if runtime.is_running(state)]
    if len(running) < 2:  # noqa: PLR2004 - a pair
        return None
    return Problem(
        code="runtime-ambiguous",
        message=f"no kubelet runs on the node, and several runtimes do: {', '.join(running)}",
        hint="start kubelet, or choose one with --runtime or with harbor_runtime for the node",
    )


def _find_untrusting(state: NodeState, planned: Runtime, desired: DesiredState) -> list[Problem]:
    """Return a warning for each other runtime that runs and does not trust the registries."""
    found = []
    for runtime in RUNTIMES:
        if runtime is planned or not runtime.is_running(state):
            continue
        try:
            trusted = runtime.evaluate_files(state).entries
        except RefusedError:
            continue
        missing = [one.entry for one in desired.present if one.needs_node_change and one.entry not in trusted]
        if missing:
            found.append(
                Problem(
                    code="other-runtime-untrusting",
                    message=f"{runtime.DAEMON} runs on the node too and does not trust {', '.join(missing)}: "
                    f"this change is for {planned.DAEMON} only",
                    hint=f"if images are pulled with it, run again with --runtime {runtime.NAME}",
                )
            )
    return found
