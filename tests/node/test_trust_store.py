"""The system's trust store in Red Hat's layout: a tree and a program that stand in for such a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.plan import Plan
from harbor_agent.model.result import TransactionPhase
from harbor_agent.node.wire import programs as wire
from tests.node.transactions import activation, assert_no_leftovers, begin, change, roll_back

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")
ANCHORS = "/etc/pki/ca-trust/source/anchors"
OURS = f"{ANCHORS}/harbor-agent-harbor.lan.crt"


def write_store(world: World) -> Path:
    """Make the store with somebody else's CA; return its bundle."""
    world.file(ANCHORS).mkdir(parents=True)
    world.file(f"{ANCHORS}/theirs.crt").write_text("theirs\n")
    bundle = world.file("/etc/pki/ca-trust/bundle")
    bundle.write_text("theirs\n")
    return bundle


def store_plan(world: World) -> Plan:
    return Plan(node="node1", reason="a test", changes=(change(world, OURS, "ours\n"),), activation=activation())


def test_the_store_is_made_again_and_restored(world: World) -> None:
    bundle = write_store(world)
    done = begin(world, store_plan(world))
    assert (done.phase, done.code) == (TransactionPhase.COMMITTED, "")
    assert bundle.read_text() == "ours\ntheirs\n"
    assert "update-ca-trust extract" in world.get("calls")
    state = wire.decode_probe(world.run(wire.build_probe_program(())))
    assert state.files[OURS].content == b"ours\n"
    assert "redhat" in state.system.trust_stores
    assert roll_back(world).phase is TransactionPhase.ROLLED_BACK
    assert bundle.read_text() == "theirs\n"
    assert not world.file(OURS).exists()
    assert_no_leftovers(world)


def test_a_store_that_cannot_be_made_rolls_the_change_back(world: World) -> None:
    bundle = write_store(world)
    world.replace("update-ca-trust", f'[ ! -e {OURS} ] || {{ echo "p11-kit: no such module" >&2; exit 1; }}')
    done = begin(world, store_plan(world))
    assert (done.phase, done.code) == (TransactionPhase.ROLLED_BACK, "trust-store-failed")
    assert "no such module" in done.detail
    assert bundle.read_text() == "theirs\n"
    assert not world.file(OURS).exists()
    assert_no_leftovers(world)
