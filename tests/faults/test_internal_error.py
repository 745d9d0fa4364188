"""An internal error while a login is handled: reported as a bug with its place, and without the login."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import PULLER
from tests.faults.controller import Order
from tests.faults.invariants import assert_invariants
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.faults.place import FaultSite

pytestmark = pytest.mark.needs("nodes")

_LOGIN = base64.b64encode(f"{PULLER.name}:{PULLER.password}".encode()).decode()

# What fails, by which word that it is given, where that is, and what has become of the node by then.
_BUGS = [
    # The header for the registry, before any node is touched.
    ("base64:b64encode", PULLER.password, "agent/harbor_agent/formats/basic_auth.py", "old"),
    # The file for the pull, on the main thread.
    ("base64:b64encode", _LOGIN, "agent/harbor_agent/node/wire/framing.py", "new"),
    # The program that carries it, on the thread of one node.
    ("paramiko:Channel.send", "harbor-agent-pull", "agent/harbor_agent/transport/ssh/transport.py", "new"),
]


@pytest.mark.parametrize("bug", _BUGS, ids=lambda bug: bug[2])
def test_a_traceback_tells_the_place_and_no_secret(
    site: FaultSite, tmp_path: Path, bug: tuple[str, str, str, str]
) -> None:
    broken, by, place, which = bug
    node = site.nodes[2]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    fired = tmp_path / "fired"
    failing = {
        "PYTHONPATH": str(Path(__file__).with_name("broken_library")),
        "BROKEN": broken,
        "BROKEN_BY": by,
        "BROKEN_REPORT": str(fired),
        "TMPDIR": str(site.lab.home),
    }
    with order.applying("-vvv", environment=failing) as running:
        seen: set[bytes] = set()

        def ended_while_seen() -> bool:
            seen.add(running.argv_shows)
            return running.process.poll() is not None

        wait_until(ended_while_seen, "it has ended", seconds=120)
        ended = running.end()
    assert fired.exists(), ended.stdout + ended.stderr
    assert "ZeroDivisionError" in ended.stderr
    if place.startswith("agent/harbor_agent/transport/"):
        # On the thread of one node, an error is that node's problem and does not end the run.
        assert ended.code == 1, ended.stderr
        assert "the node's answer cannot be processed" in ended.stderr
    else:
        assert ended.code == 70, ended.stderr
        assert "this is a bug in harbor-agent" in ended.stderr
        assert place in ended.stderr
        assert ended.document["error"]["code"] == "bug"
    for secret in (PULLER.password, _LOGIN):
        assert secret not in ended.stdout + ended.stderr
        assert not any(secret.encode() in argv for argv in seen)
    assert assert_invariants(site, expected, ended) == {node.name: which}
