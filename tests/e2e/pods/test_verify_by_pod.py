"""`verify --pod` on a real cluster: what kubelet proves, refuses and reports, and what is left when something dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.site import PULLER
from tests.lab.apiserver import running_program
from tests.lab.cluster import is_ready
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.pods.conftest import Cluster
    from tests.e2e.site import Ended
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("cluster")

_NAMESPACE, _LIMITED = "proof", "limited"
_LABEL = "harbor-agent/proof"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A cluster whose nodes are configured, by an apply that pods have proven; the one before it had no secret."""

    cluster: Cluster
    settings: Path
    inventory: Path
    without_secret: Ended
    apply: Ended

    def verify(self, *arguments: str | Path) -> Ended:
        """Run `verify --pod -o json`."""
        return self.cluster.site.agent(*self.command(*arguments))

    def command(self, *arguments: str | Path) -> tuple[str | Path, ...]:
        """The arguments of `verify --pod -o json`."""
        return ("verify", "-i", self.inventory, "-c", self.settings, "--pod", "-o", "json", *arguments)

    def pods(self, namespace: str = _NAMESPACE) -> list[dict[str, Any]]:
        """The proof pods of the namespace."""
        return self.cluster.api.ask("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector={_LABEL}")["items"]

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start `verify --pod` and return while it runs, with a pod in the cluster."""
        site = self.cluster.site
        argv = [str(Path(sys.executable).with_name("harbor-agent")), *map(str, self.command(*arguments))]
        running = subprocess.Popen(
            site.lab.network.inside(argv),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=site.lab.home,
            env={**os.environ, **site.lab.environment, "HARBOR_PASSWORD": PULLER.password},
        )
        wait_until(lambda: bool(self.pods()) or running.poll() is not None, "there is a pod", seconds=60)
        assert running.poll() is None, running.communicate()
        return running


@pytest.fixture(scope="module")
def proven(cluster: Cluster) -> Proven:
    site = cluster.site
    site.registry.replace_logins(PULLER)
    cluster.create_namespace(_NAMESPACE)
    settings, inventory = site.settings(cluster.api, _NAMESPACE), site.lab.write_inventory()
    # Another story may have configured the nodes.
    removed = site.agent(
        "apply", "-i", inventory, "-c", settings, "--registry", site.registry.entry, "--absent", "--yes"
    )
    assert removed.code == 0, removed.stderr
    arguments = ("apply", "-i", inventory, "-c", settings, "--prove-with-pods", "--yes", "-o", "json")
    return Proven(
        cluster=cluster,
        settings=settings,
        inventory=inventory,
        without_secret=site.agent(*arguments, "-n", "no-such-namespace"),
        apply=site.agent(*arguments),
    )


@contextmanager
def frozen_kubelet(cluster: Cluster, node: LabNode) -> Iterator[None]:
    """Keep the node's kubelet from doing anything while the block runs, and the cluster from noticing it.

    So a pod waits there for as long as it takes, also on a loaded machine.
    """
    controllers = find_process("kube-controller-manager", cluster.api.directory)
    lease = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node.name}"
    os.kill(controllers, signal.SIGSTOP)
    try:
        node.run("systemctl kill -s STOP kubelet")
        before = cluster.api.ask("GET", lease)["spec"]["renewTime"]
        try:
            yield
        finally:
            node.run("systemctl kill -s CONT kubelet")
        wait_until(
            lambda: cluster.api.ask("GET", lease)["spec"]["renewTime"] != before, "kubelet reports again", seconds=60
        )
    finally:
        os.kill(controllers, signal.SIGCONT)


def find_process(program: str, folder: Path) -> int:
    """Return the process of a program that was started with a path in `folder`."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = command.read_bytes()
            if words.split(b"\0")[0].endswith(program.encode()) and f"{folder}/".encode() in words:
                return int(command.parent.name)
    raise LookupError(program)


@contextmanager
def kubeconfig_through_proxy(cluster: Cluster) -> Iterator[Path]:
    """Write a kubeconfig whose API server goes away at the end of the block; the cluster's own programs keep it."""
    api, port = cluster.api, 16443
    listen, target = f"{api.host}:{port}", f"{api.host}:{api.port}"
    proxy = ("-l", listen, "/usr/lib/systemd/systemd-socket-proxyd", target)
    kubeconfig = api.directory / "kubeconfig.proxy"
    kubeconfig.write_text(api.kubeconfig().read_text().replace(target, listen))
    with running_program(Path("/usr/bin/systemd-socket-activate"), proxy, api.directory, cluster.site.lab.name):
        yield kubeconfig


def test_without_the_secret_that_the_pods_need_no_node_changes(proven: Proven) -> None:
    document = proven.without_secret.document
    assert [node["outcome"] for node in document["nodes"]] == ["skipped", "skipped"]
    assert document["halted"] == "the pull secret, which the pods need, could not be written"
    assert document["secret"]["secrets"][0]["code"] == "namespace-missing"


def test_apply_proves_each_wave_by_pods(proven: Proven) -> None:
    assert proven.apply.code == 0, proven.apply.stderr
    facts = {
        node["node"]: (node["outcome"], node["verified"], node["proof"]) for node in proven.apply.document["nodes"]
    }
    assert facts == {"node1": ("changed", True, "pod"), "node2": ("changed", True, "pod")}
    assert proven.pods() == []


def test_verify_says_what_kubelet_pulled_on_each_runtime(proven: Proven) -> None:
    verify = proven.verify()
    assert verify.code == 0, verify.stderr
    for name in ("node1", "node2"):
        node = verify.node(name)
        assert (node["outcome"], node["verified"], node["proof"]) == ("unchanged", True, "pod")
        assert f"kubelet: pulled {proven.cluster.site.registry.entry}/demo/hello@sha256:" in node["reason"]
    assert proven.pods() == []


def test_an_image_whose_program_fails_proves_the_pull(proven: Proven) -> None:
    registry, root = proven.cluster.site.registry, b"\0" * 10240  # an empty tar archive
    registry.push("demo/broken", "1.0", root=root, command=("/no/such/program",))
    verify = proven.verify("--registry", registry.entry, "--verify-image", "demo/broken:1.0")
    assert [node["verified"] for node in verify.document["nodes"]] == [True, True]


def test_a_wrong_secret_fails_in_kubelets_words(proven: Proven) -> None:
    proven.cluster.create_namespace("no-secret")
    verify = proven.verify("-n", "no-secret")
    assert verify.code == 1
    for name in ("node1", "node2"):
        node = verify.node(name)
        assert (node["outcome"], node["verified"], node["proof"]) == ("failed", False, "pod")
        assert node["code"] == "pull-unauthorized"
        assert "ErrImagePull: " in node["reason"] or "ImagePullBackOff: " in node["reason"]
        assert "the secrets of service account default in namespace no-secret" in node["hint"]


def test_a_quota_refuses_the_pods_in_its_words(proven: Proven) -> None:
    proven.cluster.create_namespace("full")
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    proven.cluster.api.ask("POST", "/api/v1/namespaces/full/resourcequotas", quota)
    path = "/api/v1/namespaces/full/resourcequotas/none"
    wait_until(lambda: "hard" in proven.cluster.api.ask("GET", path)["status"], "the quota counts", seconds=20)
    node = proven.verify("-n", "full").node("node1")
    assert (node["outcome"], node["code"]) == ("failed", "proof-pod-refused")
    assert "exceeded quota: none" in node["reason"]


def test_a_user_who_may_not_delete_pods_creates_none(proven: Proven) -> None:
    api = proven.cluster.api
    proven.cluster.create_namespace(_LIMITED)
    api.grant(_LIMITED, "pods", ["create", "list"])
    kubeconfig = ("--kubeconfig", api.kubeconfig("limited"))
    verify = proven.verify("-n", _LIMITED, *kubeconfig)
    assert verify.document["error"]["code"] == "cluster-forbidden"
    assert "delete pods in namespace limited" in verify.document["error"]["message"]
    assert "verbs: [create, list, delete]" in verify.document["error"]["hint"]
    assert proven.pods(_LIMITED) == []


def test_a_pod_that_is_evicted_is_no_proof(proven: Proven) -> None:
    node = proven.cluster.nodes[0]
    with frozen_kubelet(proven.cluster, node):
        running = proven.start("--limit", node.name)
        name = proven.pods()[0]["metadata"]["name"]
        eviction = {
            "apiVersion": "policy/v1beta1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": _NAMESPACE},
        }
        proven.cluster.api.ask("POST", f"/api/v1/namespaces/{_NAMESPACE}/pods/{name}/eviction", eviction)
        document = json.loads(running.communicate(timeout=60)[0])
    assert [(one["outcome"], one["code"]) for one in document["nodes"]] == [("failed", "proof-pod-ended")]
    assert proven.pods() == []


def test_ctrl_c_deletes_the_pods(proven: Proven) -> None:
    node = proven.cluster.nodes[0]
    with frozen_kubelet(proven.cluster, node):
        running = proven.start("--limit", node.name)
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=60)
    document = json.loads(stdout)
    assert (running.returncode, document["nodes"][0]["verified"], document["nodes"][0]["proof"]) == (130, None, None)
    assert b"the pods are deleted" in stderr
    assert proven.pods() == []


def test_the_next_run_deletes_what_a_killed_one_left(proven: Proven) -> None:
    node = proven.cluster.nodes[0]
    with frozen_kubelet(proven.cluster, node):
        running = proven.start("--limit", node.name)
        running.kill()
        running.communicate(timeout=30)
        (left,) = proven.pods()
    verify = proven.verify()
    assert verify.code == 0, verify.stderr
    assert (
        f"deleted pod {left['metadata']['name']}, which run {left['metadata']['labels'][_LABEL]} left" in verify.stderr
    )
    assert proven.pods() == []


def test_an_api_server_that_goes_away_leaves_pods_that_are_named(proven: Proven) -> None:
    node = proven.cluster.nodes[0]
    with frozen_kubelet(proven.cluster, node):
        with kubeconfig_through_proxy(proven.cluster) as kubeconfig:
            running = proven.start("--limit", node.name, "--kubeconfig", kubeconfig)
            (left,) = proven.pods()
        document = json.loads(running.communicate(timeout=120)[0])
    assert (document["nodes"][0]["outcome"], document["nodes"][0]["verified"]) == ("failed", False)
    assert "the API server went away" in document["nodes"][0]["reason"]
    (warning,) = [one for one in document["warnings"] if one["code"] == "proof-pods-left"]
    assert left["metadata"]["name"] in warning["message"]


def test_a_node_without_kubelet_is_unreachable(proven: Proven) -> None:
    node = proven.cluster.nodes[0]
    node.run("systemctl stop kubelet")
    try:
        verify = proven.verify()
    finally:
        node.run("systemctl start kubelet")
    found = verify.node(node.name)
    assert (found["outcome"], found["verified"], found["code"]) == ("unreachable", None, "kubelet-silent")
    assert verify.node(proven.cluster.nodes[1].name)["verified"] is True, verify.stdout
    assert verify.code == 4
    wait_until(lambda: is_ready(proven.cluster.api, node.name), f"{node.name} is Ready", seconds=60)
    assert proven.pods() == []
