"""Nodes whose runtime is containerd: trusted, proven over CRI, corrected and as before again, on each version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.e2e.site import IMAGE, PULLER, Site
from tests.lab import cri
from tests.lab.base import CONTAINERD_VERSIONS
from tests.lab.certificates import Authority
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.e2e.site import Ended
    from tests.lab.node import LabNode
    from tests.lab.registry import RunningRegistry

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(900)]

# What containerd says to the proof if a change did not take effect.
_STILL_HTTPS = b"""#!/bin/sh
case $1 in --version) echo HTTP2; exit ;; esac
cat >/dev/null
printf 'grpc-status: 2\r\ngrpc-message: failed to do request: Head "https://10.99.0.1:5000/v2/": refused\r\n'
"""
_LOGIN = (PULLER.name, PULLER.password)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Nodes with config_path, one for each version, and then as many with the file of Debian's package."""
    count = len(CONTAINERD_VERSIONS)
    shapes = (*("containerd-kubespray",) * count, *("containerd",) * count)
    with (
        Lab(shapes=shapes, suites=tuple(CONTAINERD_VERSIONS)) as lab,
        running_registry(
            lab.folder / "registry",
            authentication="token",
            logins=[PULLER],
            host=lab.address,
            port=5000,
            prefix=lab.network.inside(()),
        ) as registry,
    ):
        registry.push(*IMAGE.split(":"), root=busybox_root(lab.nodes[0].base))
        for node in lab.nodes:
            cri.import_images(node)
            cri.start_pod(node, "web")
        yield Site(lab=lab, registry=registry)


def run(site: Site, *arguments: str) -> Ended:
    inventory, settings = site.lab.write_inventory(), site.settings(None, "")
    return site.agent(arguments[0], "-i", inventory, "-c", settings, *arguments[1:])


def list_everything(site: Site, node: LabNode) -> tuple[frozenset[tuple[str, str]], str]:
    """The files of the node, and containerd's directories: an empty one keeps containerd from reading _default."""
    return site.files(node), node.run("find /etc/containerd -type d | sort").stdout


def assert_no_node_pulls(site: Site) -> None:
    for node in site.lab.nodes:
        with pytest.raises(cri.CriError, match="HTTP response to HTTPS client"):
            cri.pull(node, site.image, _LOGIN)


def test_a_registry_is_trusted_kept_and_taken_away_again(site: Site) -> None:
    lab = site.lab
    pods = [cri.list_processes(node) for node in lab.nodes]
    files = [site.files(node) for node in lab.nodes]
    assert_no_node_pulls(site)

    applied = run(site, "apply", "--yes", "-o", "json")
    assert applied.code == 0, applied.stderr
    outcomes = [(node["outcome"], node["verified"]) for node in applied.document["nodes"]]
    assert outcomes == [("changed", True)] * len(lab.nodes)
    for node in lab.nodes:
        cri.pull(node, site.image, _LOGIN)
        cri.remove_image(node, site.image)
    assert [cri.list_processes(node) for node in lab.nodes] == pods, "a restart of containerd leaves pods alone"

    again = run(site, "plan", "--exit-code")
    assert again.code == 0, again.stdout
    assert run(site, "drift").code == 0

    hosts = f"/etc/containerd/certs.d/{site.registry.entry}/hosts.toml"
    lab.nodes[0].run(f"rm {hosts}")
    drifted = run(site, "drift", "-o", "json")
    assert drifted.code != 0
    assert run(site, "drift", "--correct", "--yes").code == 0
    cri.pull(lab.nodes[0], site.image, _LOGIN)
    cri.remove_image(lab.nodes[0], site.image)

    rolled_back = run(site, "rollback", "--pristine", "--yes")
    assert rolled_back.code == 0, rolled_back.stdout + rolled_back.stderr
    assert_no_node_pulls(site)
    assert [site.files(node) for node in lab.nodes] == files
    assert [cri.list_processes(node) for node in lab.nodes] == pods
    assert PULLER.password not in "".join(
        ended.stdout + ended.stderr for ended in (applied, again, drifted, rolled_back)
    )


def test_every_file_is_as_before_once_the_registry_is_removed(site: Site) -> None:
    """Also those of a node without a configuration file, where containerd then has its defaults again."""
    lab = site.lab
    bare = lab.nodes[-1]
    bare.run("rm /etc/containerd/config.toml; systemctl restart containerd")
    bare.wait_ready()
    before = [list_everything(site, node) for node in lab.nodes]
    assert run(site, "apply", "--yes").code == 0
    removed = site.agent(
        "apply", "-i", lab.write_inventory(), "--registry", site.registry.entry, "--absent", "--yes", "-o", "json"
    )
    assert removed.code == 0, removed.stdout + removed.stderr
    assert [node["outcome"] for node in removed.document["nodes"]] == ["changed"] * len(lab.nodes)
    assert_no_node_pulls(site)
    assert [list_everything(site, node) for node in lab.nodes] == before


def test_plan_files_resume_history_metrics_and_ansible(site: Site, tmp_path: Path) -> None:
    """What does not depend on the runtime works for this one too."""
    nodes, settings = site.lab.nodes[:3], site.settings(None, "")
    inventory = ("-i", site.lab.write_inventory(nodes=nodes), "-c", settings)
    before = [list_everything(site, node) for node in nodes]
    plan_file, metrics = tmp_path / "change.plan", tmp_path / "drift.prom"
    planned = site.agent("plan", *inventory, "--out", plan_file, "-v")
    assert planned.code == 0, planned.stderr
    assert "runtime: containerd, because no kubelet and no other runtime was found" in planned.stdout

    nodes[0].run(
        "mv /usr/bin/curl /usr/bin/curl.real && cat >/usr/bin/curl && chmod 755 /usr/bin/curl", stdin=_STILL_HTTPS
    )
    halted = site.agent("apply", plan_file, "--yes", "-o", "json")
    nodes[0].run("mv /usr/bin/curl.real /usr/bin/curl")
    assert halted.document["nodes"][0]["code"] == "registry-not-live"
    assert [node["outcome"] for node in halted.document["nodes"]] == ["rolled_back", "skipped", "skipped"]
    resumed = site.agent("apply", "--resume", halted.document["run_id"], "--yes", "-o", "json")
    assert resumed.code == 0, resumed.stdout + resumed.stderr
    assert [node["verified"] for node in resumed.document["nodes"]] == [True, True, True]

    runs = site.agent("history", "-o", "json").document["runs"]
    assert [run["run_id"] for run in runs[:2]] == [resumed.document["run_id"], halted.document["run_id"]]
    assert site.agent("drift", *inventory, "--metrics", metrics).code == 0
    assert metrics.read_text().count('status="in_sync"} 1\n') == len(nodes)

    rolled_back = site.agent("rollback", resumed.document["run_id"], *inventory, "--yes")
    assert rolled_back.code == 0, rolled_back.stdout + rolled_back.stderr
    assert [list_everything(site, node) for node in nodes] == before

    through_ansible = site.agent("apply", *inventory, "--transport", "ansible", "--yes", "-o", "json")
    assert [node["verified"] for node in through_ansible.document["nodes"]] == [True] * len(nodes)
    assert site.agent("rollback", "--pristine", *inventory, "--transport", "ansible", "--yes").code == 0
    assert [list_everything(site, node) for node in nodes] == before


def test_a_registry_over_https_with_its_own_ca(site: Site, tmp_path: Path) -> None:
    lab, entry = site.lab, f"{site.lab.address}:5443"
    right, wrong, authorities = Authority(), Authority(), tmp_path / "ca.crt"
    right.issue([lab.address]).write(tmp_path / "tls.crt", tmp_path / "tls.key")
    pods = [cri.list_processes(node) for node in lab.nodes]

    def apply(state: str = "present") -> list[tuple[str | None, bool | None]]:
        registry = {"address": f"https://{entry}", "ca_file": str(authorities), "verify_image": IMAGE, "state": state}
        settings = tmp_path / "settings.yaml"
        settings.write_text(json.dumps({"registries": [registry], "rollout": {"max_failed": "100%"}}))
        ended = site.agent("apply", "-i", lab.write_inventory(), "-c", settings, "--yes", "-o", "json")
        return [(node["code"], node["verified"]) for node in ended.document["nodes"]]

    plain = running_registry(tmp_path / "data", host=lab.address, port=5443, prefix=lab.network.inside(()))
    with plain as registry:
        registry.push(*IMAGE.split(":"), root=busybox_root(lab.nodes[0].base))
    tls = {"certificate": str(tmp_path / "tls.crt"), "key": str(tmp_path / "tls.key")}
    with running_registry(tmp_path / "data", host=lab.address, port=5443, prefix=lab.network.inside(()), tls=tls):
        authorities.write_bytes(wrong.pem)
        assert apply() == [("certificate-ca-missing", False)] * len(lab.nodes)
        authorities.write_bytes(wrong.pem + right.pem)
        assert apply() == [(None, True)] * len(lab.nodes)
        for node in lab.nodes:
            cri.pull(node, f"{entry}/{IMAGE}")
            cri.remove_image(node, f"{entry}/{IMAGE}")
        assert [code for code, _ in apply("absent")] == [None] * len(lab.nodes)
        for node in lab.nodes:
            with pytest.raises(cri.CriError, match="unknown authority"):
                cri.pull(node, f"{entry}/{IMAGE}")
            assert not node.succeeds(f"ls /etc/containerd/certs.d/{entry}/harbor-agent.crt")
    assert [cri.list_processes(node) for node in lab.nodes] == pods


def test_each_fault_of_a_certificate_is_named(site: Site, tmp_path: Path) -> None:
    lab, nodes, address = site.lab, site.lab.nodes[: len(CONTAINERD_VERSIONS)], site.lab.address
    good, no_ca, inventory = (
        Authority(),
        Authority(name="No CA", is_ca=False),
        lab.write_inventory("faults.ini", nodes=nodes),
    )
    (tmp_path / "ca.crt").write_bytes(good.pem + no_ca.pem)
    for_clients = good.issue([address], usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    for_clients.write(tmp_path / "client.crt", tmp_path / "client.key")
    secure = {"address": f"https://{address}:5444", "ca_file": str(tmp_path / "ca.crt"), "verify_image": IMAGE}
    pair = {"client_certificate": str(tmp_path / "client.crt"), "client_key": str(tmp_path / "client.key")}

    def serve(tls: dict[str, object] | None = None) -> AbstractContextManager[RunningRegistry]:
        inside = lab.network.inside(())
        return running_registry(tmp_path / "data", host=address, port=5444, prefix=inside, tls=tls or False)

    def agent(command: str, registry: dict[str, object]) -> list[tuple[str | None, bool | None]]:
        settings = tmp_path / "settings.yaml"
        settings.write_text(json.dumps({"registries": [registry], "rollout": {"max_failed": "100%"}}))
        consent = ["--yes"] if command == "apply" else []
        ended = site.agent(command, "-i", inventory, "-c", settings, "-o", "json", *consent)
        return [(node["code"], node["verified"]) for node in ended.document["nodes"]]

    with serve() as registry:
        registry.push(*IMAGE.split(":"), root=busybox_root(nodes[0].base))
    with serve(good.issue([address]).serve_from(tmp_path / "good")):
        assert agent("apply", secure) == [(None, True)] * len(nodes)
    between = Authority(name="Lab intermediate", signed_by=good)
    cases = {
        "another-ca-of-the-same-name": (Authority().issue([address]), "certificate-ca-missing"),
        "without-the-intermediate": (between.issue([address], with_chain=False), "certificate-ca-missing"),
        "a-ca-that-may-not-sign": (no_ca.issue([address]), "certificate-ca-cannot-sign"),
        "expired": (good.issue([address], days=-1), "certificate-expired"),
        "another-address": (good.issue(["192.0.2.7"]), "certificate-name"),
        "only-a-host-name": (good.issue(["harbor.lan"]), "certificate-no-san"),
        "only-a-common-name": (good.issue([], common_name=address), "certificate-no-san"),
        "for-clients-only": (for_clients, "pull-certificate-refused"),
    }
    found = {}
    for case, (issued, _) in cases.items():
        with serve(issued.serve_from(tmp_path / case)):
            found[case] = agent("verify", secure)
    assert found == {case: [(code, False)] * len(nodes) for case, (_, code) in cases.items()}
    with serve({**good.issue([address]).serve_from(tmp_path / "mutual"), "clientcas": [str(tmp_path / "ca.crt")]}):
        assert agent("verify", secure) == [("certificate-client-missing", False)] * len(nodes)
        assert agent("apply", {**secure, **pair}) == [(None, True)] * len(nodes)
    key = f"/etc/containerd/certs.d/{address}:5444/harbor-agent.key"
    assert [node.run(f"stat -c %a {key}").stdout for node in nodes] == ["600\n"] * len(nodes)
    assert [code for code, _ in agent("apply", {**secure, "state": "absent"})] == [None] * len(nodes)
    assert not [node.name for node in nodes if node.succeeds(f"ls {key}")]
