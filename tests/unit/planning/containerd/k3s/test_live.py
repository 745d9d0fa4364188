"""A containerd that somebody else configures is never planned as one of its own."""

from __future__ import annotations

import pytest

from harbor_agent.local.tree import Tree
from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.planning.node import explain_runtime, observe_tree, plan_node
from tests.unit.planning.containerd.k3s.test_cases import CASES
from tests.unit.planning.containerd.nodes import HARBOR, READS_CERTS, node, planned, refused, running, unwant, want
from tests.unit.planning.trees import Files

GENERATED = [
    "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
    "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
    "/srv/k3s/agent/etc/containerd/config.toml",
]
TEMPLATED = "/var/snap/microk8s/7229/args/containerd.toml"


@pytest.mark.parametrize("path", GENERATED)
def test_a_running_k3s_is_refused_with_the_file_that_is_generated(path: str) -> None:
    state = running(node({path: READS_CERTS}, config_file=path))
    for desired in (want(HARBOR), unwant(HARBOR)):
        problem = refused(state, desired).problem
        assert problem.code == "file-managed"
        assert path in problem.message
        assert "registries.yaml" in problem.message


def test_what_microk8s_makes_from_its_template_is_not_edited() -> None:
    problem = refused(running(node({TEMPLATED: "version = 2\n"}, config_file=TEMPLATED))).problem
    assert problem.code == "file-managed"
    assert "containerd-template.toml" in problem.message
    plan = planned(running(node({TEMPLATED: READS_CERTS}, config_file=TEMPLATED)))
    assert plan.route.value == "hosts-toml"


def test_what_k0s_makes_at_each_start_is_not_edited_but_its_directories_are() -> None:
    main, made = "/etc/k0s/containerd.toml", "/run/k0s/containerd-cri.toml"
    imports = f'# k0s_managed=true\nversion = 2\nimports = ["{made}"]\n'
    cri = 'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "pause"\n'
    problem = refused(running(node({main: imports, made: cri}, config_file=main))).problem
    assert problem.code == "file-managed"
    assert made in problem.message
    assert "/etc/k0s/containerd.d" in problem.hint
    plan = planned(running(node({main: imports, made: READS_CERTS}, config_file=main)))
    assert (plan.route.value, plan.activation.action.value) == ("hosts-toml", "none")


def test_a_tree_is_planned_for_the_runtime_that_is_named() -> None:
    tree = Tree(str(CASES / "rke2-with-directories/root"))
    state = observe_tree(tree, "1.32.3", "rke2")
    assert explain_runtime(state) == "rke2, because the tree is planned for it"
    decision = plan_node("image", state, want(HARBOR), {})
    assert isinstance(decision, Plan)
    assert decision.runtime == "rke2"


def test_microk8s_is_containerd_with_its_template() -> None:
    folder = CASES.parent / "containerd/microk8s-template/root"
    decision = plan_node("image", observe_tree(Tree(str(folder)), "1.31", "microk8s"), want(HARBOR), {})
    assert isinstance(decision, Plan)
    assert [change.path.rpartition("/args/")[2] for change in decision.changes] == [f"certs.d/{HARBOR}/hosts.toml"]
    elsewhere = Tree(str(CASES / "empty/root"))
    decision = plan_node("image", observe_tree(elsewhere, "1.31", "microk8s"), want(HARBOR), {})
    assert isinstance(decision, Refusal)
    assert decision.problem.code == "containerd-absent"


def test_k0s_is_containerd_with_a_file_in_another_place() -> None:
    folder = CASES.parent / "containerd/k0s-own/root"
    decision = plan_node("image", observe_tree(Tree(str(folder)), "1.31", "k0s"), want(HARBOR), {})
    assert isinstance(decision, Plan)
    assert [change.path for change in decision.changes] == [f"/etc/k0s/certs.d/{HARBOR}/hosts.toml"]
    elsewhere = Tree(str(CASES.parent / "containerd/debian-package/root"))
    decision = plan_node("image", observe_tree(elsewhere, "1.31", "k0s"), want(HARBOR), {})
    assert isinstance(decision, Refusal)
    assert (decision.problem.code, "/etc/k0s/containerd.toml" in decision.problem.message) == (
        "containerd-absent",
        True,
    )


def test_the_unit_of_k0s_is_the_one_that_restarts() -> None:
    tree = Files(
        {"/etc/k0s/containerd.toml": "version = 2\n", "/etc/systemd/system/k0scontroller.service": "[Service]\n"}
    )
    decision = plan_node("image", observe_tree(tree, "1.31", "k0s"), want(HARBOR), {})
    assert isinstance(decision, Plan)
    assert (decision.activation.unit, decision.activation.action.value) == ("k0scontroller.service", "restart")
