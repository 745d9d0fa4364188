"""A run and its words agree: a plan says what apply does, and a result claims no more than is true of the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.images import busybox_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Site
    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.field("words")]

_KUBELET = """\
mkdir -p /usr/local/bin
printf '#!/bin/sh\\nread -r line </run/kubelet.pipe\\n' >/usr/local/bin/{name}
chmod 755 /usr/local/bin/{name}
[ -p /run/kubelet.pipe ] || mkfifo /run/kubelet.pipe
systemd-run --quiet --unit=kubelet {environment} /usr/local/bin/{name} {options}
"""
_SOCKET = "unix:///run/containerd/containerd.sock"
# As MicroK8s starts it, but for the socket.
_KUBELITE_OPTIONS = """\
# of kubelet
--root-dir=${SNAP_COMMON}/var/lib/kubelet
--eviction-hard="memory.available<100Mi,nodefs.available<1Gi"
--container-runtime-endpoint=unix://${SNAP_COMMON}/containerd/containerd.sock
"""


@pytest.fixture(params=["kubelet", "kubelite"])
def kubelet_on_containerd(fresh_site: Site, request: pytest.FixtureRequest) -> Iterator[LabNode]:
    """A node with a stand-in for kubelet, or for that of MicroK8s: a process of that name with its arguments."""
    node, name = fresh_site.nodes[0], request.param
    environment, options = "", f"--container-runtime-endpoint={_SOCKET}"
    if name == "kubelite":
        node.run("cat >/run/kubelite-options", stdin=_KUBELITE_OPTIONS.encode())
        environment, options = "-E SNAP_COMMON=/run", "--kubelet-args-file=/run/kubelite-options"
    node.run(_KUBELET.format(name=name, environment=environment, options=options))
    yield node
    node.run(f"systemctl stop kubelet; rm /usr/local/bin/{name}")


def test_a_node_whose_kubelet_uses_containerd_is_planned_for_it(
    kubelet_on_containerd: LabNode, fresh_site: Site
) -> None:
    node, site = kubelet_on_containerd, fresh_site
    inventory = site.lab.write_inventory("whose.ini", nodes=[node])
    run = ("-i", inventory, "--registry", site.registry.entry, "-o", "json")
    planned = site.agent("plan", *run)
    assert planned.code == 0, planned.stderr
    facts = planned.node(node.name)
    assert (facts["runtime"], facts["status"], facts["route"]) == ("containerd", "change", "containerd-config")
    assert "other-runtime-untrusting" in [warning["code"] for warning in facts["warnings"]]
    chosen = site.agent("plan", *run, "--runtime", "docker")
    assert (chosen.code, chosen.node(node.name)["status"]) == (0, "change"), chosen.stderr
    assert "kubelet-uses-containerd" in [warning["code"] for warning in chosen.node(node.name)["warnings"]]
    absent = site.agent("plan", *run, "--runtime", "cri-o")
    assert (absent.code, absent.node(node.name)["code"]) == (5, "cri-o-absent")


def test_no_node_restarts_for_a_registry_that_none_reaches(fresh_site: Site) -> None:
    site, node = fresh_site, fresh_site.nodes[1]
    inventory = site.lab.write_inventory("nowhere.ini", nodes=[node])
    started = node.run("systemctl show -p MainPID docker").stdout
    run = ("-i", inventory, "--registry", f"{site.lab.address}:5998", "-o", "json")
    planned = site.agent("plan", *run)
    assert "registry-not-reached" in [warning["code"] for warning in planned.document["warnings"]]
    stopped = site.agent("apply", *run, "--yes")
    assert (stopped.code, stopped.document["error"]["code"]) == (7, "registry-not-reached"), stopped.stderr
    assert node.run("systemctl show -p MainPID docker").stdout == started


def test_a_plan_says_what_apply_refuses_and_one_refused_node_is_no_halt(fresh_site: Site) -> None:
    site, node = fresh_site, fresh_site.nodes[1]
    node.load_image("precious:1", busybox_root(node.base))
    node.start_container("precious", "precious:1", restart="no")
    inventory = site.lab.write_inventory("words.ini", nodes=[node])
    run = ("-i", inventory, "--registry", site.registry.entry)
    planned = site.agent("plan", *run, "-o", "json").node(node.name)
    assert (planned["status"], planned["apply_refuses"]["code"]) == ("change", "containers-would-stop")
    refused = site.agent("apply", *run, "--yes")
    assert refused.code == 5, refused.stderr
    assert refused.stdout.splitlines()[-1].startswith("Done: 1 refused")
    assert f"{node.name}  refused" in refused.stdout
    unproven = site.agent("apply", *run, "--yes", "--accept-restart")
    assert unproven.code == 0, unproven.stderr
    assert "1 changed, 1 not proven by a pull" in unproven.stdout.splitlines()[-1]


def test_a_rollback_of_an_unknown_run_is_an_error_and_one_of_a_run_no_drift(fresh_site: Site) -> None:
    site, node = fresh_site, fresh_site.nodes[2]
    inventory = site.lab.write_inventory("back.ini", nodes=[node])
    registry = ("--registry", site.registry.entry)
    unknown = site.agent("rollback", "20200101T000000Z-beef", "-i", inventory, "--yes", "-o", "json")
    assert (unknown.code, unknown.document["error"]["code"]) == (2, "run-unknown"), unknown.stderr
    applied = site.agent("apply", "-i", inventory, *registry, "--yes", "-o", "json")
    assert applied.code == 0, applied.stderr
    back = site.agent("rollback", applied.document["run_id"], "-i", inventory, "--yes")
    assert back.code == 0, back.stderr
    drift = site.agent("drift", "-i", inventory, *registry, "-o", "json")
    assert (drift.code, drift.node(node.name)["status"]) == (0, "in_sync"), drift.document
    verified = site.agent("verify", "-i", inventory, *registry)
    assert verified.code == 1
    assert f"{node.name}  failed\n" in verified.stdout, "no pull was tried, so none failed"
    assert "not-configured" in verified.stdout
