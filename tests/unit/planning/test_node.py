"""One runtime of a node is planned: the one that kubelet uses, or the one that the operator chose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.daemon import UnitState
from harbor_agent.model.kubelet import Kubelet
from harbor_agent.model.plan import Action, Plan, Refusal, Route
from harbor_agent.model.policy import RuntimeChoice
from harbor_agent.planning.node import choose_runtime, explain_runtime, find_runtime, plan_node
from tests.unit.planning.containerd.nodes import CONFIG, HARBOR, HOSTS, OURS, READS_CERTS, UNIT, want
from tests.unit.planning.containerd.nodes import node as containerd_node
from tests.unit.planning.containerd.nodes import running as running_containerd
from tests.unit.planning.docker.nodes import DAEMON_JSON, FRAGMENT, PLAIN_UNIT, TEMPLATES, docker_of
from tests.unit.planning.docker.nodes import node as docker_node
from tests.unit.planning.docker.nodes import running as running_docker

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

CONTAINERD = "/run/containerd/containerd.sock"
DOCKERD = ("/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")
DOCKER = running_docker(docker_node({FRAGMENT: PLAIN_UNIT}), DOCKERD)
ALONE = running_containerd(containerd_node({CONFIG: READS_CERTS}))
MIXED = replace(ALONE, runtimes=(*DOCKER.runtimes, *ALONE.runtimes), files={**DOCKER.files, **ALONE.files})


def kubelet(endpoint: str, **facts: object) -> Kubelet:
    return Kubelet(argv=("/usr/bin/kubelet", f"--container-runtime-endpoint={endpoint}"), **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "observed",
    [
        kubelet(f"unix://{CONTAINERD}"),
        kubelet("unix:///var/run/containerd/containerd.sock"),
        kubelet("/srv/cri.sock", sockets={"/srv/cri.sock": "1:2", CONTAINERD: "1:2"}),
        Kubelet(argv=("/usr/bin/kubelet",), version="1.28.2"),
    ],
)
def test_on_a_mixed_node_the_runtime_of_kubelet_is_planned_and_the_other_is_named(observed: Kubelet) -> None:
    plan = plan_node("node-1", replace(MIXED, kubelet=observed), want(HARBOR), TEMPLATES)
    assert isinstance(plan, Plan), plan.problem
    assert plan.runtime == "containerd"
    assert plan.route is Route.HOSTS_TOML
    assert plan.activation.action is Action.NONE
    assert [change.path for change in plan.changes] == [HOSTS]
    (warning,) = [one for one in plan.warnings if one.code == "other-runtime-untrusting"]
    assert "dockerd" in warning.message


def test_a_runtime_that_trusts_the_registry_already_is_not_named() -> None:
    files = {**MIXED.files, **docker_node({DAEMON_JSON: f'{{"insecure-registries": ["{HARBOR}"]}}'}).files}
    plan = plan_node("node-1", replace(MIXED, files=files, kubelet=kubelet(CONTAINERD)), want(HARBOR), TEMPLATES)
    assert isinstance(plan, Plan)
    assert plan.warnings == ()


@pytest.mark.parametrize("endpoint", ["unix:///run/cri-dockerd.sock", "unix:///var/run/dockershim.sock"])
def test_cri_dockerd_and_dockershim_are_docker(endpoint: str) -> None:
    plan = plan_node("node-1", replace(MIXED, kubelet=kubelet(endpoint)), want(HARBOR), TEMPLATES)
    assert isinstance(plan, Plan)
    assert plan.runtime == "docker"


def test_another_socket_is_no_runtime_that_is_configured() -> None:
    refusal = plan_node("node-1", replace(MIXED, kubelet=kubelet("/run/crio/crio.sock")), want(HARBOR), TEMPLATES)
    assert isinstance(refusal, Refusal)
    assert refusal.problem.code == "kubelet-uses-containerd"
    assert "CRI-O" in refusal.problem.message


@pytest.mark.parametrize(
    ("choice", "endpoint", "warnings"),
    [
        (RuntimeChoice.DOCKER, CONTAINERD, {"kubelet-uses-containerd", "other-runtime-untrusting"}),
        (RuntimeChoice.CONTAINERD, "/run/cri-dockerd.sock", {"kubelet-uses-docker", "other-runtime-untrusting"}),
        (RuntimeChoice.CONTAINERD, CONTAINERD, {"other-runtime-untrusting"}),
    ],
)
def test_the_choice_of_the_operator_counts(choice: RuntimeChoice, endpoint: str, warnings: set[str]) -> None:
    state = replace(MIXED, kubelet=kubelet(endpoint))
    plan = plan_node("node-1", state, want(HARBOR, runtime=choice), TEMPLATES)
    assert isinstance(plan, Plan)
    assert plan.runtime == choice.value
    assert {one.code for one in plan.warnings} == warnings
    assert choice.value == find_runtime(choose_runtime(state, choice)).NAME


def test_two_that_run_without_a_kubelet_are_a_question() -> None:
    refusal = plan_node("node-1", MIXED, want(HARBOR), TEMPLATES)
    assert isinstance(refusal, Refusal)
    assert refusal.problem.code == "runtime-ambiguous"
    chosen = plan_node("node-1", MIXED, want(HARBOR, runtime=RuntimeChoice.CONTAINERD), TEMPLATES)
    assert isinstance(chosen, Plan)


@pytest.mark.parametrize(
    ("unit_file_state", "name"), [("enabled", "docker"), ("disabled", "containerd"), ("masked", "containerd")]
)
def test_without_a_kubelet_a_docker_that_is_down_counts_only_if_it_starts_at_boot(
    unit_file_state: str, name: str
) -> None:
    unit = UnitState(
        name="docker.service", load_state="loaded", active_state="inactive", unit_file_state=unit_file_state
    )
    down = replace(docker_of(DOCKER), unit=unit, argv=None, live=None)
    state = replace(MIXED, runtimes=(down, *ALONE.runtimes))
    assert name == find_runtime(state).NAME


def test_a_node_that_has_only_containerd_is_planned_by_it() -> None:
    plan = plan_node("node-1", ALONE, want(HARBOR), TEMPLATES)
    assert isinstance(plan, Plan)
    assert plan.activation.runtime == "containerd"
    assert plan.activation.unit == UNIT
    assert (plan.changes[0].after.content or b"").decode() == OURS


def test_containerd_that_is_chosen_and_not_there_is_refused() -> None:
    refusal = plan_node("node-1", DOCKER, want(HARBOR, runtime=RuntimeChoice.CONTAINERD), TEMPLATES)
    assert isinstance(refusal, Refusal)
    assert refusal.problem.code == "containerd-absent"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (replace(MIXED, kubelet=kubelet(f"unix://{CONTAINERD}")), f"containerd, because kubelet uses {CONTAINERD}"),
        (
            replace(MIXED, kubelet=kubelet("/run/cri-dockerd.sock")),
            "docker, because kubelet uses /run/cri-dockerd.sock",
        ),
        (replace(DOCKER, kubelet=Kubelet(argv=("kubelet",))), "docker, because kubelet names no endpoint"),
        (choose_runtime(MIXED, RuntimeChoice.CONTAINERD), "containerd, because --runtime"),
        (ALONE, "containerd, because no kubelet and no other runtime was found"),
        (MIXED, "docker, because no kubelet was found, and docker comes before containerd"),
        (containerd_node({}), "containerd, because the tree is planned for it"),
        (replace(ALONE, runtimes=()), "docker, because no runtime was found"),
    ],
)
def test_it_is_said_how_the_runtime_was_found(state: NodeState, words: str) -> None:
    assert explain_runtime(state).startswith(words)


def test_a_restart_after_which_kubelet_is_not_asked_is_announced() -> None:
    unread = replace(ALONE.runtimes[0], live_config_path="")  # type: ignore[type-var]
    silent = replace(ALONE, kubelet=kubelet(f"unix://{CONTAINERD}", answers_for_health=False))
    restarted = replace(silent, runtimes=(unread,))
    for state, codes in ((silent, []), (restarted, ["kubelet-health-off"]), (replace(restarted, kubelet=None), [])):
        plan = plan_node("node-1", state, want(HARBOR), TEMPLATES)
        assert isinstance(plan, Plan)
        assert [warning.code for warning in plan.warnings] == codes
