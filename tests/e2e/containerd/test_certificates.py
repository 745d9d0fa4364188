"""Registries over HTTPS with a CA of their own, on each version of containerd."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.e2e.site import IMAGE
from tests.lab import cri
from tests.lab.base import CONTAINERD_VERSIONS
from tests.lab.certificates import Authority
from tests.lab.images import busybox_root
from tests.lab.registry import running_registry

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.e2e.site import Site
    from tests.lab.registry import RunningRegistry

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(900)]


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
