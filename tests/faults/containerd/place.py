"""A node for each version of containerd, changed by a restart, and what must hold on them after every fault."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.site import PULLER, Site, running_site
from tests.faults.failpoint import install
from tests.faults.invariants import assert_no_secret_here, assert_no_secret_on
from tests.lab import cri
from tests.lab.base import CONTAINERD_VERSIONS
from tests.lab.leftovers import assert_nothing_left
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.e2e.site import Ended
    from tests.faults.controller import Order
    from tests.faults.invariants import Which
    from tests.lab.files import Files
    from tests.lab.node import LabNode

CONFIG = "/etc/containerd/config.toml"
DROP_INS = "/etc/systemd/system/containerd.service.d"
_LOGIN = (PULLER.name, PULLER.password)
_AT_REST = (
    "systemctl show -p ActiveState --value harbor-agent-transaction | grep -qx inactive "
    "&& [ ! -e /etc/systemd/system/harbor-agent-recovery.service ] "
    "&& ctr plugins ls | grep -q '^io.containerd.grpc.v1 *cri .*ok'"
)
_DESCRIBE = """\
systemctl list-jobs; systemctl --failed; ctr plugins ls | grep cri
for t in /var/lib/harbor-agent/transactions/*; do tail -n 6 "$t/journal" "$t/log"; done
journalctl -b -n 40 -o cat -u containerd -u 'harbor-agent-*' -t harbor-agent
"""
# How containerd starts if its file has a config_path, which is what every change here adds.
_WRAPPER = """\
#!/bin/sh
if grep -q certs.d /etc/containerd/config.toml; then echo fired >>/var/fault.fired; {fault}; fi
exec /usr/bin/containerd
"""


@contextmanager
def booted_site() -> Iterator[Site]:
    """Boot the nodes: no config_path, a pod on each, and a registry that wants a login."""
    with running_site(shapes=("containerd",) * len(CONTAINERD_VERSIONS), suites=tuple(CONTAINERD_VERSIONS)) as site:
        for node in site.lab.nodes:
            install(node)
        yield site


def start_pods(node: LabNode) -> None:
    """Start a pod if none runs: a reboot ends them, and there is no kubelet."""
    if not cri.list_processes(node):
        cri.import_images(node)
        cri.start_pod(node, "web")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A node before the fault, and what its plan says: each file that changes, with the hash that it will have."""

    node: LabNode
    plan: Mapping[str, Any]
    planned: Mapping[str, str]
    files: Files
    pods: Mapping[str, str]


def expect(order: Order) -> dict[str, Expected]:
    """Plan, and note what is there before: the files, and which processes the pods are."""
    plan = order.plan()

    def look(node: LabNode) -> Expected:
        planned = _plan_of(plan, node)
        assert (planned["status"], planned["action"]) == ("change", "restart"), planned
        hashes = {file["path"]: file["after"]["sha256"] for file in planned["files"]}
        assert CONFIG in hashes
        return Expected(node=node, plan=planned, planned=hashes, files=Site.files(node), pods=cri.list_processes(node))

    with ThreadPoolExecutor() as pool:
        return {was.node.name: was for was in pool.map(look, order.nodes)}


def assert_invariants(
    order: Order, expected: Mapping[str, Expected], *runs: Ended, pods_end: bool = False, settle: float = 60
) -> dict[str, Which]:
    """Assert A, C, L and S on each node; return whether it is the old or the new one.

    `pods_end` is for what ends every process of a node, such as a reboot. Nodes that are still busy have `settle`
    seconds: they end by themselves.
    """

    def find(was: Expected) -> Which:
        _wait_at_rest(was.node, settle)
        assert pods_end or cri.list_processes(was.node) == was.pods, was.node.run(_DESCRIBE, check=False).stdout
        which = _find_which(order.site, was)
        assert_nothing_left(was.node)
        assert_no_secret_on(was.node)
        return which

    assert_no_secret_here(order.site, runs)
    with ThreadPoolExecutor() as pool:
        found = dict(zip(expected, pool.map(find, expected.values()), strict=True))
    # The running containerd has read what the files say, or the plan would be another one.
    again = order.plan()
    for name, which in found.items():
        planned = _plan_of(again, expected[name].node)
        assert planned == expected[name].plan if which == "old" else planned["status"] == "unchanged", planned
    return found


def _wait_at_rest(node: LabNode, settle: float) -> None:
    try:
        wait_until(lambda: node.succeeds(_AT_REST), f"{node.name} is at rest and has CRI", seconds=settle)
    except TimeoutError as error:
        error.add_note(node.run(_DESCRIBE, check=False).stdout)
        raise


def _find_which(site: Site, was: Expected) -> Which:
    """A: the files are the old ones and nothing is pulled, or they are as planned and the image is pulled."""
    now = site.files(was.node)
    changed = {path for path, _ in now ^ was.files}
    if not changed:
        with pytest.raises(cri.CriError, match="HTTP response to HTTPS client"):
            cri.pull(was.node, site.image, _LOGIN)
        return "old"
    hashes = dict(fact for fact in now if len(fact[1]) == 64)
    assert {path: hashes.get(path) for path in changed} == was.planned
    cri.pull(was.node, site.image, _LOGIN)
    cri.remove_image(was.node, site.image)
    return "new"


def _plan_of(plan: Ended, node: LabNode) -> dict[str, Any]:
    """What the plan says about a node, without what differs between two plans of one state."""
    planned = plan.node(node.name)
    codes = sorted(warning["code"] for warning in planned["warnings"])
    return {key: planned[key] for key in ("status", "action", "files", "apply_refuses")} | {"warnings": codes}


@contextmanager
def wrapped(node: LabNode, fault: str, unit: str = "") -> Iterator[None]:
    """Let containerd do `fault` instead of starting with the change; it did so when this returns.

    `unit` are further lines for the drop-in.
    """
    script = "/usr/local/sbin/containerd-wrapper"
    with dropped_in(node, f"{unit}[Service]\nExecStart=\nExecStart={script}\n"):
        (node.root / script.lstrip("/")).write_text(_WRAPPER.format(fault=fault))
        (node.root / script.lstrip("/")).chmod(0o755)
        try:
            yield
            assert (node.root / "var/fault.fired").exists()
        finally:
            node.run(f"rm -f {script} /var/fault.fired")


@contextmanager
def dropped_in(node: LabNode, text: str) -> Iterator[None]:
    """Add a drop-in to containerd's unit while the block runs."""
    node.run(f"mkdir -p {DROP_INS} && cat >{DROP_INS}/fault.conf && systemctl daemon-reload", stdin=text.encode())
    try:
        yield
    finally:
        node.run(f"rm -r {DROP_INS}; systemctl daemon-reload; systemctl reset-failed containerd", check=False)


def read_outcome(ended: Ended, node: LabNode) -> str:
    """Return what a node's outcome and code are, as one text."""
    result = ended.node(node.name)
    return f"{result['outcome']} {result['code'] or ''}".rstrip()


def describe(ended: Ended) -> str:
    """Return the whole report for an assertion that fails."""
    return json.dumps(ended.document["nodes"], indent=1)
