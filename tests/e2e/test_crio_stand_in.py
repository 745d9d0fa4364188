"""A node whose kubelet uses a stand-in for CRI-O (tests/lab/crio_stand_in.sh): a reload, its journal, the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import running_site
from tests.lab.crio import install_stand_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Site
    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(900)]

FOLDER = "/etc/containers/registries.conf.d"
PROCESS = "systemctl show crio kubelet -p MainPID"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One node, and a registry with a login."""
    with running_site(shapes=("podman",), packages=("podman",), prepare=install_stand_in) as site:
        yield site


@pytest.fixture
def node(site: Site) -> LabNode:
    return site.lab.nodes[0]


def pull(site: Site, node: LabNode) -> str:
    return node.run(f"crictl pull {site.image} 2>&1", check=False).stdout


def test_stand_in_is_reloaded_proven_corrected_and_as_before_again(site: Site, node: LabNode) -> None:
    files, process = site.files(node), node.run(PROCESS).stdout
    drop_in = f"{FOLDER}/50-{site.registry.entry}.conf"
    assert "server gave HTTP response to HTTPS client" in pull(site, node)

    applied = site.run("apply", "--yes", "-o", "json")
    assert applied.code == 0, applied.stdout + applied.stderr
    facts = applied.node("node1")
    assert (facts["outcome"], facts["verified"]) == ("changed", True)
    assert "unauthorized" in pull(site, node)
    assert site.run("plan", "--exit-code").code == 0
    assert site.run("drift").code == 0

    node.run(f"rm {drop_in}")
    assert site.run("drift").code != 0
    assert site.run("drift", "--correct", "--yes").code == 0
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
    planned = site.run("plan", "-o", "json").node("node1")
    assert (planned["code"], broken in planned["reason"]) == ("file-invalid", True)
    node.run(f"rm {broken}")

    # A file that only CRI-O rejects: it does not get to its registries.
    node.run(f"mkdir -p /etc/crio/crio.conf.d && echo '[broken.table]' >{fault}")
    failed = site.run("apply", "--yes", "-o", "json").node("node1")
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

    assert site.run("plan", "-o", "json").node("node1")["action"] == "none"
    applied = site.run("apply", "--yes", "-o", "json")
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
