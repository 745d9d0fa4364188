"""A hundred transactions on one node: its state is bounded, and no temporary file remains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.plan import Activation, FileChange, Plan
from harbor_agent.model.result import TransactionPhase
from harbor_agent.model.state import FileKind, FileState, Record
from harbor_agent.node.wire import programs as wire
from harbor_agent.transport.shell.exchange import build_payload
from tests.faults.controller import Order
from tests.faults.failpoint import journalled
from tests.faults.invariants import assert_invariants, assert_reported
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.faults.place import FaultSite

pytestmark = pytest.mark.needs("nodes")

_RUNS = 100
_STATE = "var/lib/harbor-agent"
_FILE = "/etc/docker/changed-often.conf"


def test_a_hundred_changes_leave_five_backups_and_nothing_else(site: FaultSite) -> None:
    node = site.later[2]
    order = Order(site=site, nodes=[node])
    expected = order.expect()
    texts = [f"{number}\n".encode() for number in range(1, _RUNS)]
    written = [FileState(path=_FILE, kind=FileKind.REGULAR, content=text, mode=0o644) for text in texts]
    absent = FileState(path=_FILE)
    for number, (before, after) in enumerate(zip([absent, *written], [*written, absent], strict=True), start=1):
        change = FileChange(before=before, after=after, reason="the test's")
        program = wire.build_begin_program(
            Plan(
                node=node.name,
                activation=Activation(runtime="docker", unit="docker.service"),
                changes=(change,),
                reason="the test's",
            ),
            transaction=f"many-{number:03}",
            record=wire.encode_record(Record(run_id=f"many-{number:03}")),
            deadline=60.0,
        )
        answer = node.run("exec /bin/sh -s", stdin=build_payload(program))
        assert wire.decode_report(answer.stdout.encode()).phase is TransactionPhase.COMMITTED
    assert not (node.root / _FILE.lstrip("/")).exists()
    ended = order.apply()
    assert_reported(ended, node.name, "changed")
    assert assert_invariants(site, expected, ended) == {node.name: "new"}
    transactions = node.root / _STATE / "transactions"
    last = {f"many-{number:03}" for number in range(_RUNS - 3, _RUNS + 1)} | {ended.document["run_id"]}

    def kept() -> set[str]:
        return {path.name for path in transactions.iterdir() if "prepared" in journalled(path)}

    wait_until(lambda: kept() == last, "the last five backups are left", seconds=20)
    left = {path.name for path in (node.root / _STATE).iterdir()}
    assert left <= {"transactions", "record", "pristine", "created-directories", "change-times"}
