"""A node whose kubelet uses a stand-in for CRI-O (tests/lab/crio_stand_in.sh): a reload, its journal, the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import IMAGE, PULLER, Site
from tests.lab.crio import install_stand_in
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Ended
    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(900)]

FOLDER = "/etc/containers/registries.conf.d"
PROCESS = "systemctl show crio kubelet -p MainPID"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One node, and a registry with a login."""
    with (
        Lab(shapes=("podman",), packages=("podman",), prepare=install_stand_in) as lab,
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
        yield Site(lab=lab, registry=registry)


@pytest.fixture
def node(site: Site) -> LabNode:
    return site.lab.nodes[0]


def run(site: Site, *arguments: str) -> Ended:
    inventory, settings = site.lab.write_inventory(), site.settings(None, "")
    return site.agent(arguments[0], "-i", inventory, "-c", settings, *arguments[1:])


def pull(site: Site, node: LabNode) -> str:
    return node.run(f"crictl pull {site.image} 2>&1", check=False).stdout


def test_stand_in_is_reloaded_proven_corrected_and_as_before_again(site: Site, node: LabNode) -> None:
    files, process = site.files(node), node.run(PROCESS).stdout
    drop_in = f"{FOLDER}/50-{site.registry.entry}.conf"
    assert "server gave HTTP response to HTTPS client" in pull(site, node)

    applied = run(site, "apply", "--yes", "-o", "json")
    assert applied.code == 0, applied.stdout + applied.stderr
    facts = applied.node("node1")
    assert (facts["outcome"], facts["verified"]) == ("changed", True)
    assert "unauthorized" in pull(site, node)
    assert run(site, "plan", "--exit-code").code == 0
    assert run(site, "drift").code == 0

    node.run(f"rm {drop_in}")
    assert run(site, "drift").code != 0
    assert run(site, "drift", "--correct", "--yes").code == 0
    assert "unauthorized" in pull(site, node)

    inventory = site.lab.write_inventory()
    removed = site.agent("apply", "-i", inventory, "--registry", site.registry.entry, "--absent", "--yes")
    assert removed.code == 0, removed.stdout + removed.stderr
    assert "server gave HTTP response to HTTPS client" in pull(site, node)
    assert site.files(node) == files
    assert node.run(PROCESS).stdout == process, "a reload restarts nothing"


def test_stand_in_that_does_not_read_its_files_is_as_before(site: Site, node: LabNode) -> None:
    broken, fault = f"{FOLDER}/99-broken.conf", "/etc/crio/crio.conf.d/99-broken.conf"
    files = site.files(node)
    node.run(f"echo '[[registry]' >{broken}")
    planned = run(site, "plan", "-o", "json").node("node1")
    assert (planned["code"], broken in planned["reason"]) == ("file-invalid", True)
    node.run(f"rm {broken}")

    # A file that only CRI-O rejects: it does not get to its registries.
    node.run(f"mkdir -p /etc/crio/crio.conf.d && echo '[broken.table]' >{fault}")
    failed = run(site, "apply", "--yes", "-o", "json").node("node1")
    assert (failed["outcome"], failed["code"]) == ("rolled_back", "registry-not-live")
    assert "Failed to reload configuration" in failed["reason"]
    node.run("rm -r /etc/crio")
    assert site.files(node) == files
    assert "server gave HTTP response to HTTPS client" in pull(site, node)


def test_stand_in_that_watches_its_drop_ins_is_proven_without_a_reload(site: Site, node: LabNode) -> None:
    settings = "/etc/crio/crio.conf.d/10-watch.conf"
    node.run(f"mkdir -p /etc/crio/crio.conf.d && printf '[crio.image]\\nauto_reload_registries = true\\n' >{settings}")
    invocation = node.run("systemctl restart crio && systemctl show crio -p InvocationID --value").stdout.strip()
    files, process = site.files(node), node.run(PROCESS).stdout
    assert "server gave HTTP response to HTTPS client" in pull(site, node)

    assert run(site, "plan", "-o", "json").node("node1")["action"] == "none"
    applied = run(site, "apply", "--yes", "-o", "json")
    assert applied.code == 0, applied.stdout + applied.stderr
    assert (applied.node("node1")["outcome"], applied.node("node1")["verified"]) == ("changed", True)
    assert "unauthorized" in pull(site, node)

    inventory = site.lab.write_inventory()
    removed = site.agent("apply", "-i", inventory, "--registry", site.registry.entry, "--absent", "--yes")
    assert removed.code == 0, removed.stdout + removed.stderr
    assert "server gave HTTP response to HTTPS client" in pull(site, node)
    assert site.files(node) == files
    assert node.run(PROCESS).stdout == process
    words = node.run(f"journalctl --no-pager INVOCATION_ID={invocation}").stdout
    assert ("Started" in words, "Reload" in words) == (True, False), "nobody asked it to read its files"
