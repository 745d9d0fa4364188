"""Which runtime kubelet uses decides whether a change of Docker helps its pods."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harbor_agent.model.kubelet import Kubelet
from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.model.policy import RuntimeChoice
from harbor_agent.planning.kubelet import find_other_runtime, read_reported_runtime
from harbor_agent.planning.node import plan_node
from tests.unit.planning.docker.nodes import DEBIAN_UNIT, FRAGMENT, HARBOR, TEMPLATES, node, running, want

CONTAINERD = "/run/containerd/containerd.sock"
DOCKERD = ("/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")


def kubelet(*options: str, version: str = "", **facts: object) -> Kubelet:
    return Kubelet(argv=("/usr/bin/kubelet", *options), version=version, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("observed", "name"),
    [
        (kubelet(f"--container-runtime-endpoint=unix://{CONTAINERD}"), "containerd"),
        (kubelet("--container-runtime-endpoint", f"unix://{CONTAINERD}"), "containerd"),
        (kubelet("--container-runtime-endpoint=/var/run/containerd/containerd.sock"), "containerd"),
        (
            kubelet("--container-runtime=remote", f"--container-runtime-endpoint={CONTAINERD}", version="1.20.2"),
            "containerd",
        ),
        (kubelet("--container-runtime-endpoint=unix:///var/run/crio/crio.sock"), "CRI-O"),
        (kubelet("--config=/x", configured_endpoints=(f"unix://{CONTAINERD}",)), "containerd"),
        (kubelet(configured_endpoints=("unix:///run/cri-dockerd.sock", f"unix://{CONTAINERD}")), "containerd"),
        (kubelet(version="1.24.0"), "containerd"),
        (kubelet(version="1.31.1+rke2r1"), "containerd"),
        (
            kubelet("--container-runtime-endpoint=/srv/cri.sock", sockets={"/srv/cri.sock": "1:2", CONTAINERD: "1:2"}),
            "containerd",
        ),
        (kubelet("--container-runtime-endpoint=/srv/cri.sock"), "another runtime"),
        (
            Kubelet(argv=("/usr/local/bin/k3s server",), sockets={"/run/k3s/containerd/containerd.sock": "1:3"}),
            "containerd",
        ),
    ],
)
def test_another_runtime_is_named(observed: Kubelet, name: str) -> None:
    other = find_other_runtime(observed)
    assert other is not None
    assert other.name == name


@pytest.mark.parametrize(
    "observed",
    [
        kubelet(version="1.23.17"),
        kubelet("--container-runtime=docker", version="1.20.2"),
        kubelet("--container-runtime=docker", f"--container-runtime-endpoint={CONTAINERD}"),
        kubelet("--container-runtime-endpoint=unix:///var/run/cri-dockerd.sock"),
        kubelet("--container-runtime-endpoint=unix:///var/run/dockershim.sock"),
        kubelet(f"--container-runtime-endpoint={CONTAINERD}", "--container-runtime-endpoint=/run/cri-dockerd.sock"),
        kubelet("--container-runtime-endpoint=/run/cri-dockerd.sock", configured_endpoints=(CONTAINERD,)),
        kubelet("--container-runtime-endpoint=/srv/cri.sock", shim_endpoints=("unix:///srv/cri.sock",)),
        kubelet(
            "--container-runtime-endpoint=/srv/cri.sock",
            sockets={"/srv/cri.sock": "1:2", "/run/cri-dockerd.sock": "1:2"},
        ),
        kubelet(
            "--container-runtime-endpoint=/srv/cri.sock",
            shim_endpoints=("unix:///var/run/shim.sock",),
            sockets={"/srv/cri.sock": "1:2", "/var/run/shim.sock": "1:2"},
        ),
        kubelet("--container-runtime-endpoint=tcp://127.0.0.1:3735"),
        kubelet("--container-runtime=remote", version="1.20.2"),
        kubelet(),
        Kubelet(argv=("/usr/local/bin/k3s server", "--docker")),
        Kubelet(argv=("/usr/local/bin/k3s agent",), sockets={"/run/k3s/cri-dockerd/cri-dockerd.sock": "1:4"}),
        Kubelet(argv=("/usr/local/bin/k3s agent",)),
    ],
)
def test_docker_and_what_is_not_known_are_no_other_runtime(observed: Kubelet) -> None:
    assert find_other_runtime(observed) is None


def decide(choice: RuntimeChoice) -> Plan | Refusal:
    state = replace(running(node({FRAGMENT: DEBIAN_UNIT}), DOCKERD), kubelet=kubelet(version="1.28.2"))
    return plan_node("node1", state, replace(want(HARBOR), runtime=choice), TEMPLATES)


@pytest.mark.field("whose-daemon")
def test_a_node_whose_kubelet_uses_containerd_is_refused_with_the_reason() -> None:
    decision = decide(RuntimeChoice.AUTO)
    assert isinstance(decision, Refusal)
    assert decision.problem.code == "kubelet-uses-containerd"
    assert CONTAINERD in decision.problem.message


def test_runtime_docker_changes_it_all_the_same_and_warns() -> None:
    decision = decide(RuntimeChoice.DOCKER)
    assert isinstance(decision, Plan)
    assert decision.changes
    assert "kubelet-uses-containerd" in [warning.code for warning in decision.warnings]


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("containerd://1.6.20", "containerd"),
        ("cri-o://1.36.3", "CRI-O"),
        ("docker://20.10.24", None),
        ("lab", None),
        ("", None),
    ],
)
def test_the_cluster_reports_a_runtime_too(version: str, name: str | None) -> None:
    other = read_reported_runtime(version)
    assert (other.name if other else None) == name


@pytest.mark.parametrize("planned", ["k3s", "rke2"])
def test_the_cluster_reports_k3s_and_rke2_as_containerd(planned: str) -> None:
    assert read_reported_runtime("containerd://1.7.11-k3s2", planned) is None
    other = read_reported_runtime("docker://26.1.5", planned)
    assert other
    assert other.name == "Docker"
