"""Files that systemd has not loaded yet, or cannot load."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.faults.controller import Order
from tests.faults.invariants import assert_invariants, assert_reported, look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.place import FaultSite
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes")

_PENDING = "/etc/systemd/system/docker.service.d/60-pending.conf"
_DEFAULTS = "/etc/default/docker"
_COMMAND = "/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"
_SHORT_OF_ROOM = (
    'mount -o "remount,size=$(($(df --output=used -k /run | tail -n 1) + 8192))k" /run && ! systemctl daemon-reload'
)


@contextmanager
def _edited_since(node: LabNode, entry: str) -> Iterator[None]:
    """Let an environment file decide what dockerd trusts, and a drop-in beside it be one that systemd never read."""
    defaults, pending = (node.root / path.lstrip("/") for path in (_DEFAULTS, _PENDING))
    text = defaults.read_text()
    try:
        defaults.write_text(f'{text}\nDOCKER_OPTS="--insecure-registry={entry}"\n')
        node.run("systemctl restart docker")
        pending.write_text(f"[Service]\nExecStart=\nExecStart={_COMMAND} --label=pending=yes $DOCKER_OPTS\n")
        assert node.run("systemctl show -p NeedDaemonReload --value docker").stdout == "yes\n"
        yield
    finally:
        defaults.write_text(text)
        pending.unlink(missing_ok=True)
        node.run("systemctl daemon-reload; systemctl reset-failed docker docker.socket; systemctl restart docker")


def test_dockerd_runs_with_what_was_planned_though_systemd_had_not_read_it(site: FaultSite) -> None:
    nodes = (site.nodes[0], site.later[0])
    order = Order(site=site, nodes=nodes)
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(_edited_since(node, site.registry.entry))
        plan, refused = order.plan(), order.apply()
        assert {refused.node(node.name)["code"] for node in nodes} == {"latent-edit"}
        ended = order.apply("--accept-restart")
        for node in nodes:
            planned = plan.node(node.name)
            assert [file["path"] for file in planned["files"]] == [_DEFAULTS]
            assert "daemon-reload-pending" in [warning["code"] for warning in planned["warnings"]]
            assert_reported(ended, node.name, "changed")
            record = json.loads((node.root / "var/lib/harbor-agent/record/docker.json").read_text())
            found = look(node)
            assert found.arguments == tuple(record["argv"])
            assert found.arguments[-3:] == (
                "--label=pending=yes",
                f"--insecure-registry={site.registry.entry}",
                f"--insecure-registry={order.entry}",
            )
    assert ended.code == 0, ended.stderr


def test_where_systemd_does_not_read_its_files_nothing_is_restarted(site: FaultSite) -> None:
    nodes = (site.nodes[1], site.later[1])
    order = Order(site=site, nodes=nodes)
    expected = order.expect()
    with ExitStack() as stack:
        for node in nodes:
            stack.callback(node.run, "mount -o remount,size=20% /run && systemctl daemon-reload")
            node.run(_SHORT_OF_ROOM)
        before = [node.run("systemctl show -p MainPID docker").stdout for node in nodes]
        ended = order.apply()
        assert [node.run("systemctl show -p MainPID docker").stdout for node in nodes] == before
    for node in nodes:
        assert_reported(ended, node.name, "rolled_back", "not enough space available on /run/systemd")
        assert ended.node(node.name)["code"] == "daemon-reload-failed"
    assert assert_invariants(site, expected, ended) == dict.fromkeys(expected, "old")
