"""A registry by a name that no DNS knows: nodes get it in /etc/hosts, prove it, keep it and lose it without a trace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import IMAGE, Site
from tests.lab import cri
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Ended
    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(600)]

NAME, PORT = "harbor.lan", 5000
ENTRY = f"{NAME}:{PORT}"
BLOCK = "# BEGIN harbor-agent\n{address} harbor.lan\n# END harbor-agent\n"
WITHOUT_BLOCK = "sed -i '/^# BEGIN harbor-agent/,/^# END harbor-agent/d' /etc/hosts"
REFUSED = {
    "hosts-entry-differs": ("echo '10.9.9.9 Harbor.LAN' >>/etc/hosts", "cp -p /root/hosts /etc/hosts"),
    "hosts-not-regular": (
        "cp /etc/hosts /srv/hosts && ln -sf /srv/hosts /etc/hosts",
        "rm /etc/hosts && cp -p /root/hosts /etc/hosts",
    ),
    "hosts-not-read": (
        "cp /etc/nsswitch.conf /root/ && sed -i 's/^hosts:.*/hosts: myhostname/' /etc/nsswitch.conf",
        "cp /root/nsswitch.conf /etc/nsswitch.conf",
    ),
    "hosts-managed": (
        "mkdir -p /etc/cloud/cloud.cfg.d && echo 'manage_etc_hosts: true' >/etc/cloud/cloud.cfg.d/90-site.cfg",
        "rm -r /etc/cloud",
    ),
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A node with Docker and one with containerd, and a registry that they reach."""
    with (
        Lab(shapes=("docker.io", "containerd-kubespray")) as lab,
        running_registry(
            lab.folder / "registry", host=lab.address, port=PORT, prefix=lab.network.inside(())
        ) as registry,
    ):
        registry.push(*IMAGE.split(":"), root=busybox_root(lab.nodes[0].base))
        cri.import_images(lab.nodes[1])
        yield Site(lab=lab, registry=registry)


def run(site: Site, command: str, *arguments: str, **settings: object) -> Ended:
    """Run a command with the registry by its name, these settings of it among its own."""
    resolve = {"address": site.lab.address, "nodes": True, "cluster": False}
    registry = {"address": ENTRY, "verify_image": IMAGE, "resolve": resolve, **settings}
    path = site.lab.folder / "names.yaml"
    path.write_text(json.dumps({"registries": [registry]}))  # JSON is YAML
    return site.agent(command, "-i", site.lab.write_inventory(), "-c", path, "-o", "json", *arguments)


def hosts(node: LabNode) -> str:
    return node.run("cat /etc/hosts").stdout


def outcomes(ended: Ended) -> list[tuple[str, bool | None]]:
    return [(node["outcome"], node["verified"]) for node in ended.document["nodes"]]


def test_a_node_whose_file_would_not_give_the_name_is_refused(site: Site) -> None:
    nodes = site.lab.nodes
    for node in nodes:
        node.run("cp -p /etc/hosts /root/hosts")
    for code, (disturb, restore) in REFUSED.items():
        nodes[1].run(disturb)
        planned = run(site, "plan")
        nodes[1].run(restore)
        assert [node["code"] for node in planned.document["nodes"]] == [None, code]
    mounted = "cp /etc/hosts /run/hosts && mount --bind /run/hosts /etc/hosts"
    nodes[1].run(mounted)
    planned = run(site, "plan")
    nodes[1].run("umount /etc/hosts")
    assert planned.document["nodes"][1]["code"] == "hosts-not-regular"


def test_a_name_is_added_proven_kept_and_removed(site: Site) -> None:
    nodes, before = site.lab.nodes, [hosts(node) for node in site.lab.nodes]
    block = BLOCK.format(address=site.lab.address)

    approved = str(site.lab.folder / "names.plan")
    planned = run(site, "plan", "--out", approved)
    for node in planned.document["nodes"]:
        assert "/etc/hosts" in [file["path"] for file in node["files"]], node
        assert f"+{site.lab.address} {NAME}" in json.dumps(node), node
        assert not {warning["code"] for warning in node["warnings"]} & {"name-not-resolved", "registry-not-answering"}
    applied = site.agent("apply", approved, "--yes", "-o", "json")
    assert outcomes(applied) == [("changed", True)] * 2, applied.stdout + applied.stderr
    assert [hosts(node) for node in nodes] == [text + block for text in before]
    assert run(site, "plan", "--exit-code").code == 0
    assert run(site, "drift").code == 0

    nodes[0].run("echo 10.0.0.77 node77 >>/etc/hosts")
    assert run(site, "drift").code == 0, "a line of somebody else is no drift"
    starts = [node.run("systemctl show -p ExecMainPID docker containerd").stdout for node in nodes]
    for node in nodes:
        node.run(WITHOUT_BLOCK)
    drifted = run(site, "drift")
    reasons = [node["reason"] for node in drifted.document["nodes"]]
    assert reasons == ["the block in /etc/hosts is missing"] * 2
    corrected = run(site, "drift", "--correct", "--yes", "--max-drifted", "100%", "--transport", "ansible")
    assert corrected.code == 0, corrected.stdout + corrected.stderr
    assert [node.run(f"getent hosts {NAME}").stdout.split()[0] for node in nodes] == [site.lab.address] * 2
    assert [node.run("systemctl show -p ExecMainPID docker containerd").stdout for node in nodes] == starts

    removed = run(site, "apply", "--yes", state="absent")
    assert removed.code == 0, removed.stdout + removed.stderr
    line = "10.0.0.77 node77\n"
    assert [hosts(node) for node in nodes] == [before[0] + line, before[1]]
    nodes[1].run("echo 10.0.0.78 node78 >>/etc/hosts")
    rolled_back = run(site, "rollback", str(removed.document["run_id"]), "--yes")
    assert rolled_back.code == 0, rolled_back.stdout + rolled_back.stderr
    assert [hosts(node) for node in nodes] == [before[0] + line + block, before[1] + "10.0.0.78 node78\n" + block]
