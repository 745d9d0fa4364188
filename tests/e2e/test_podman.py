"""Hosts with podman alone: trusted, proven by a pull, corrected, and as before again, on podman 4.3 and 5.4."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import IMAGE, PULLER, running_site
from tests.lab.certificates import Authority
from tests.lab.files import Files
from tests.lab.images import busybox_root
from tests.lab.registry import running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.site import Site
    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(900)]

SUITES = ("bookworm", "trixie")
FOLDER = "/etc/containers/registries.conf.d"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Two hosts, and a registry with a login."""
    with running_site(shapes=("podman", "podman"), suites=SUITES, packages=("podman",)) as site:
        yield site


def try_pull(site: Site, node: LabNode) -> str:
    return node.run(f"podman pull -q {site.image} 2>&1", check=False).stdout


def list_settings(site: Site, node: LabNode) -> Files:
    """Every file but those that podman itself keeps of its pulls."""
    return Files(fact for fact in site.files(node) if "/.local/share/containers/" not in fact[0])


def is_asked(site: Site, node: LabNode) -> bool:
    """Whether the registry itself answers, by plain HTTP: podman 4.3 and 5.4 have other words for a missing login."""
    words = try_pull(site, node)
    return "unauthorized" in words or "access to the resource is denied" in words


def test_a_registry_is_trusted_kept_and_taken_away_again(site: Site) -> None:
    lab, drop_in = site.lab, f"{FOLDER}/50-{site.registry.entry}.conf"
    lab.nodes[1].run("mkdir -p /home/ops/.config/containers && touch /home/ops/.config/containers/registries.conf")
    files = [list_settings(site, node) for node in lab.nodes]
    assert all("server gave HTTP response to HTTPS client" in try_pull(site, node) for node in lab.nodes)

    applied = site.run("apply", "--yes", "-o", "json")
    assert applied.code == 0, applied.stdout + applied.stderr
    outcomes = [(node["outcome"], node["verified"]) for node in applied.document["nodes"]]
    assert outcomes == [("changed", True)] * len(lab.nodes)
    assert "podman reads /home/ops/.config/containers/registries.conf for that user" in applied.stderr
    for node in lab.nodes:
        assert is_asked(site, node), "plain HTTP, and no login was left behind"
        assert not node.run("podman images -q; find / -xdev -name 'harbor-agent-pull*'").stdout
        assert not node.succeeds(f"grep -rF '{PULLER.password}' /etc /root /var/lib/harbor-agent /run")

    again = site.run("plan", "--exit-code")
    assert again.code == 0, again.stdout
    assert site.run("drift").code == 0

    lab.nodes[0].run(f"rm {drop_in}")
    lab.nodes[1].run(f"sed -i s/true/false/ {drop_in}")
    assert site.run("drift", "-o", "json").code != 0
    corrected = site.run("drift", "--correct", "--yes")
    assert corrected.code == 0, corrected.stdout + corrected.stderr
    assert all(is_asked(site, node) for node in lab.nodes)

    inventory = lab.write_inventory()
    removed = site.agent("apply", "-i", inventory, "--registry", site.registry.entry, "--absent", "--yes")
    assert removed.code == 0, removed.stdout + removed.stderr
    for node, before in zip(lab.nodes, files, strict=True):
        assert list_settings(site, node) ^ before == set()
    assert all("server gave HTTP response to HTTPS client" in try_pull(site, node) for node in lab.nodes)


def test_a_file_that_podman_rejects_is_named_and_a_rollback_restores_the_files(site: Site) -> None:
    lab, broken = site.lab, f"{FOLDER}/99-broken.conf"
    files = [list_settings(site, node) for node in lab.nodes]
    lab.nodes[0].run(f"printf '[[registry]]\\nlocation = \"http://a.lan\"\\n' >{broken}")
    planned = site.run("plan", "-o", "json")
    assert planned.node("node1")["code"] == "file-invalid"
    assert broken in str(planned.node("node1"))
    lab.nodes[0].run(f"rm {broken}")

    assert site.run("apply", "--yes").code == 0
    rolled_back = site.run("rollback", "--pristine", "--yes")
    assert rolled_back.code == 0, rolled_back.stdout + rolled_back.stderr
    for node, before in zip(lab.nodes, files, strict=True):
        assert list_settings(site, node) ^ before == set()


def test_a_registry_over_https_with_its_own_ca(site: Site, tmp_path: Path) -> None:
    lab, entry = site.lab, f"{site.lab.address}:5443"
    right, authorities = Authority(), tmp_path / "ca.crt"
    right.issue([lab.address]).write(tmp_path / "tls.crt", tmp_path / "tls.key")

    def apply(state: str = "present", **fields: bool) -> list[tuple[str | None, bool | None]]:
        registry = {"address": f"https://{entry}", "ca_file": str(authorities), "verify_image": IMAGE, "state": state}
        registry |= fields
        settings = tmp_path / "settings.yaml"
        settings.write_text(json.dumps({"registries": [registry], "rollout": {"max_failed": "100%"}}))
        ended = site.agent("apply", "-i", lab.write_inventory(), "-c", settings, "--yes", "-o", "json")
        return [(node["code"], node["verified"]) for node in ended.document["nodes"]]

    plain = running_registry(tmp_path / "data", host=lab.address, port=5443, prefix=lab.network.inside(()))
    with plain as registry:
        registry.push(*IMAGE.split(":"), root=busybox_root(lab.nodes[0].base))
    tls = {"certificate": str(tmp_path / "tls.crt"), "key": str(tmp_path / "tls.key")}
    with running_registry(tmp_path / "data", host=lab.address, port=5443, prefix=lab.network.inside(()), tls=tls):
        authorities.write_bytes(Authority().pem)
        assert apply() == [("certificate-ca-missing", False)] * len(lab.nodes)
        authorities.write_bytes(right.pem)
        assert apply() == [(None, True)] * len(lab.nodes)
        assert [code for code, _ in apply("absent")] == [None] * len(lab.nodes)
        for node in lab.nodes:
            assert "unknown authority" in node.run(f"podman pull -q {entry}/{IMAGE} 2>&1", check=False).stdout
            assert not node.succeeds("ls /etc/containers/certs.d")

        # podman is another process each time, so it reads the system's trust store at once
        assert apply(system_trust=True) == [(None, True)] * len(lab.nodes)
        for node in lab.nodes:
            node.run("mv /etc/containers/certs.d /root/aside")
            node.run(f"podman pull -q {entry}/{IMAGE} && podman rmi {entry}/{IMAGE}")
            node.run("mv /root/aside /etc/containers/certs.d")
            assert node.succeeds(f"curl -sfm 20 -o /dev/null https://{entry}/v2/")
        assert [code for code, _ in apply("absent")] == [None] * len(lab.nodes)
        for node in lab.nodes:
            assert "unknown authority" in node.run(f"podman pull -q {entry}/{IMAGE} 2>&1", check=False).stdout
            assert node.run("ls /usr/local/share/ca-certificates").stdout == ""
            assert node.run("find -L /etc/ssl/certs -type l").stdout == "", "no link to a certificate that is gone"
