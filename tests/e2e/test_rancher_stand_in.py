"""Nodes with stand-ins for k3s and RKE2 (tests/lab/rancher_stand_in.sh), each of which starts a real containerd."""

from __future__ import annotations

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.runtimes.containerd import ContainerdState, K3sState
from harbor_agent.node.wire import programs as wire
from tests.e2e.site import IMAGE, PULLER, Site
from tests.faults.failpoint import Failpoint, held
from tests.faults.failpoint import install as install_failpoints
from tests.lab import cri
from tests.lab.certificates import Authority
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.rancher import install_k0s_stand_in, install_stand_in, wait_ready
from tests.lab.registry import running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harbor_agent.model.state import NodeState
    from tests.e2e.site import Ended
    from tests.lab.files import Files
    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(900)]

_LOGIN = (PULLER.name, PULLER.password)
_UNITS = {"node1": "k3s.service", "node2": "rke2-agent.service"}
_FAILS = b"[Service]\nExecStartPre=/bin/sh -c '! grep -q 10.99 /etc/rancher/rke2/registries.yaml'\n"
_FOLDERS = {"node1": "/etc/rancher/k3s", "node2": "/etc/rancher/rke2"}


def prepare(node: LabNode) -> None:
    """A server of k3s, an agent of an RKE2 from before it wrote directories of registries, and a worker of k0s."""
    if node.name == "node1":
        install_stand_in(node, "k3s", "server")
    elif node.name == "node3":
        install_k0s_stand_in(node)
    else:
        install_stand_in(node, "rke2", "agent", writes_mirrors=True)


@dataclass(frozen=True, slots=True)
class RancherSite(Site):
    """Both nodes, a registry over plain HTTP with a login, and one over HTTPS with a CA of its own (`ca_file`)."""

    secure: str
    ca_file: Path

    @property
    def rancher_nodes(self) -> tuple[LabNode, ...]:
        """The nodes with k3s and RKE2; the last one has k0s."""
        return self.lab.nodes[:2]

    def write_inventory(self) -> Path:
        """Write an inventory of these nodes."""
        return self.lab.write_inventory(nodes=self.rancher_nodes)

    def write_settings(self, *, state: str = "present") -> Path:
        """Write what an operator would have about both registries."""
        login = {"username": PULLER.name, "password_env": "HARBOR_PASSWORD"}
        plain = {"address": self.registry.entry, "verify_image": IMAGE, "credentials": login}
        secure = {"address": f"https://{self.secure}", "ca_file": str(self.ca_file), "verify_image": IMAGE}
        path = self.lab.folder / f"{state}.yaml"
        path.write_text(json.dumps({"registries": [one | {"state": state} for one in (plain, secure)]}))
        return path


@pytest.fixture(scope="module")
def site() -> Iterator[RancherSite]:
    """Each node has a pod."""
    with (
        Lab(shapes=("no-docker",) * 3, suites=("trixie", "bookworm", "bookworm"), prepare=prepare) as lab,
        running_registry(
            lab.folder / "registry",
            authentication="token",
            logins=[PULLER],
            host=lab.address,
            port=5000,
            prefix=lab.network.inside(()),
        ) as registry,
    ):
        root, inside = busybox_root(lab.nodes[0].base), lab.network.inside(())
        registry.push(*IMAGE.split(":"), root=root)
        with running_registry(lab.folder / "secure", host=lab.address, port=5443, prefix=inside) as plain:
            plain.push(*IMAGE.split(":"), root=root)
        for node in lab.nodes[:2]:
            wait_ready(node)
            cri.import_images(node)
            cri.start_pod(node, "web")
        authority = Authority()
        (lab.folder / "ca.crt").write_bytes(authority.pem)
        tls = authority.issue([lab.address]).serve_from(lab.folder / "tls")
        with running_registry(lab.folder / "secure", host=lab.address, port=5443, prefix=inside, tls=tls):
            yield RancherSite(lab=lab, registry=registry, secure=f"{lab.address}:5443", ca_file=lab.folder / "ca.crt")


def run(site: RancherSite, *arguments: str) -> Ended:
    inventory, settings = site.write_inventory(), site.write_settings()
    return site.agent(arguments[0], "-i", inventory, "-c", settings, *arguments[1:])


def list_everything(site: RancherSite, node: LabNode) -> tuple[Files, str]:
    """The files of the node, and those from which its containerd is configured."""
    written = node.run("cd /var/lib/rancher/*/agent/etc/containerd && find . -printf '%p %m %s\\n' | sort").stdout
    return site.files(node), written


def read_main_process(node: LabNode) -> str:
    return node.run(f"systemctl show {_UNITS[node.name]} -p MainPID").stdout


def assert_no_node_pulls(site: RancherSite) -> None:
    for node in site.rancher_nodes:
        with pytest.raises(cri.CriError, match="HTTP response to HTTPS client"):
            cri.pull(node, site.image, _LOGIN)
        with pytest.raises(cri.CriError, match="unknown authority"):
            cri.pull(node, f"{site.secure}/{IMAGE}")


def assert_nodes_pull(site: RancherSite) -> None:
    for node in site.rancher_nodes:
        cri.pull(node, site.image, _LOGIN)
        cri.pull(node, f"{site.secure}/{IMAGE}")
        cri.remove_image(node, site.image)
        cri.remove_image(node, f"{site.secure}/{IMAGE}")


def probe(node: LabNode, entry: str) -> NodeState:
    program = wire.build_probe_program([entry])
    done = node.run(f"sh -s -- {shlex.join(program.arguments)}", stdin=program.stdin)
    return wire.decode_probe(done.stdout.encode())


def test_stand_ins_and_their_containerd_are_reported(site: RancherSite) -> None:
    found = []
    for node in site.rancher_nodes:
        (k3s,) = (one for one in probe(node, site.registry.entry).runtimes if isinstance(one, K3sState))
        containerd = k3s.containerd
        assert (containerd.cri_loaded, containerd.proofs) == (True, {site.registry.entry: "https"})
        assert [one.name for one in containerd.containers or ()] == ["default/web/main"]
        assert k3s.changed_files == containerd.changed_files == ()
        found.append((k3s.name, k3s.version, k3s.unit.name, containerd.version[:3], containerd.kill_mode))
    assert found == [
        ("k3s", "1.31.1", "k3s.service", "1.7", "process"),
        ("rke2", "1.31.1", "rke2-agent.service", "1.6", "process"),
    ]
    both = probe(site.lab.nodes[2], site.registry.entry).runtimes[:2]
    assert [type(one) for one in both] == [K3sState, ContainerdState], "a k3s that does not run hides no other"


def test_stand_ins_are_configured_proven_corrected_and_as_before_again(site: RancherSite) -> None:
    server, agent = site.rancher_nodes
    before = [list_everything(site, node) for node in site.rancher_nodes]
    pods = [cri.list_processes(node) for node in site.rancher_nodes]
    process = read_main_process(server)
    assert_no_node_pulls(site)

    planned = run(site, "plan", "-v")
    assert "runtime: k3s, because kubelet uses /run/k3s/containerd/containerd.sock" in planned.stdout
    assert "runtime: rke2, because kubelet uses /run/k3s/containerd/containerd.sock" in planned.stdout
    applied = run(site, "apply", "--yes", "-o", "json")
    assert applied.code == 0, applied.stdout + applied.stderr
    facts = [applied.node(node.name) for node in site.rancher_nodes]
    assert [(one["outcome"], one["action"], one["verified"]) for one in facts] == [
        ("changed", "none", True),
        ("changed", "restart", True),
    ]
    assert read_main_process(server) == process
    assert [cri.list_processes(node) for node in site.rancher_nodes] == pods

    # The next start writes hosts.toml again, in its own form, and that is no drift.
    server.run("systemctl restart k3s")
    wait_ready(server)
    assert_nodes_pull(site)
    assert run(site, "drift").code == 0
    assert run(site, "plan", "--exit-code").code == 0
    server.run("rm -r /var/lib/rancher/k3s/agent/etc/containerd/certs.d/*")
    agent.run(f"rm {_FOLDERS['node2']}/registries.yaml")
    assert run(site, "drift", "--correct", "--yes").code == 0
    assert_nodes_pull(site)

    inventory, absent = site.write_inventory(), site.write_settings(state="absent")
    removed = site.agent("apply", "-i", inventory, "-c", absent, "--yes", "-o", "json")
    assert removed.code == 0, removed.stdout + removed.stderr
    assert_no_node_pulls(site)
    assert [list_everything(site, node) for node in site.rancher_nodes] == before
    assert [cri.list_processes(node) for node in site.rancher_nodes] == pods


def test_stand_in_that_does_not_start_with_the_change_is_as_before_and_resumed(site: RancherSite) -> None:
    server, agent = site.rancher_nodes
    before = [list_everything(site, node) for node in site.rancher_nodes]
    pods = [cri.list_processes(node) for node in site.rancher_nodes]
    registries, drop_in = f"{_FOLDERS['node2']}/registries.yaml", "/etc/systemd/system/rke2-agent.service.d"

    agent.run(f"printf 'mirrors:\\n\\tdocker.io:\\n' >{registries}")
    refused = run(site, "plan", "-o", "json").node("node2")
    assert (refused["code"], f"{registries} line 2" in refused["reason"]) == ("file-invalid", True)
    agent.run(f"rm {registries}")

    # What no check foresees: the start fails if the file has the registry.
    agent.run(f"mkdir {drop_in} && cat >{drop_in}/fails.conf && systemctl daemon-reload", stdin=_FAILS)
    halted = run(site, "apply", "--yes", "-o", "json")
    failed = halted.node("node2")
    assert (failed["outcome"], failed["code"]) == ("rolled_back", "rke2-start-failed")
    assert halted.node("node1")["outcome"] == "skipped", "a server is the last"
    agent.run(f"rm -r {drop_in} && systemctl daemon-reload")
    assert [list_everything(site, node) for node in site.rancher_nodes] == before
    assert [cri.list_processes(node) for node in site.rancher_nodes] == pods

    resumed = site.agent("apply", "--resume", halted.document["run_id"], "--yes", "-o", "json")
    assert resumed.code == 0, resumed.stdout + resumed.stderr
    server.run("systemctl restart k3s")
    wait_ready(server)
    inventory = site.write_inventory()
    rolled_back = site.agent("rollback", resumed.document["run_id"], "-i", inventory, "--yes")
    assert rolled_back.code == 0, rolled_back.stdout + rolled_back.stderr
    assert_no_node_pulls(site)
    assert [list_everything(site, node) for node in site.rancher_nodes] == before
    assert [cri.list_processes(node) for node in site.rancher_nodes] == pods


def test_stand_in_boots_with_the_files_from_before_a_change_that_was_cut_off(site: RancherSite) -> None:
    agent = site.lab.nodes[1]
    before = site.files(agent)
    install_failpoints(agent)
    point = Failpoint(agent, "swapped-2")
    inventory, settings = site.lab.write_inventory(nodes=(agent,)), site.write_settings()
    order = ("apply", "-i", str(inventory), "-c", str(settings), "--yes", "-o", "json")
    with ThreadPoolExecutor() as pool, held(point):
        running = pool.submit(site.agent, *order)
        point.wait()
        assert site.registry.entry in agent.run(f"cat {_FOLDERS['node2']}/registries.yaml").stdout
        agent.power_off()
        agent.start()
        point.release()
        ended = running.result()
    assert ended.node("node2")["outcome"] == "rolled_back"
    wait_ready(agent)
    written = agent.run("cat /var/lib/rancher/rke2/agent/etc/containerd/config.toml").stdout
    assert site.registry.entry not in written, "RKE2 started with the earlier file"
    agent.run("rm /usr/local/sbin/sync")
    assert site.files(agent) == before


def test_stand_in_for_k0s_is_containerd_in_another_place(site: RancherSite) -> None:
    node = site.lab.nodes[2]
    before, inventory = site.files(node), site.lab.write_inventory(nodes=(node,))
    applied = site.agent("apply", "-i", inventory, "-c", site.write_settings(), "--yes", "-o", "json")
    facts = applied.node("node3")
    assert (facts["outcome"], facts["action"], facts["verified"]) == ("changed", "none", True), applied.stdout
    absent = site.write_settings(state="absent")
    assert site.agent("apply", "-i", inventory, "-c", absent, "--yes").code == 0
    assert site.files(node) == before
