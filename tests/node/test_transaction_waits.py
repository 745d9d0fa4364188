"""A transaction waits for another one that ends, and for a unit that systemd has not unloaded yet."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.result import TransactionPhase
from tests.node.transactions import begin, reload_plan

if TYPE_CHECKING:
    from tests.node.conftest import World

pytestmark = [pytest.mark.needs("root"), pytest.mark.field("attack-9")]

_STILL_LOADED = """\
if [ ! -e "$WORLD/loaded" ]; then
  : >"$WORLD/loaded"
  echo 'Failed to start transient service unit: Unit harbor-agent-transaction.service was already loaded.' >&2
  exit 1
fi"""


def test_a_unit_that_is_still_loaded_is_no_refusal(world: World) -> None:
    world.replace("systemd-run", _STILL_LOADED)
    report = begin(world, reload_plan(world, '{"insecure-registries": ["10.99.0.1:5000"]}'))
    assert report.phase is TransactionPhase.COMMITTED, report


def test_another_transaction_that_ends_is_no_refusal(world: World) -> None:
    plan = reload_plan(world, '{"insecure-registries": ["10.99.0.1:5000"]}')
    world.set("lock", "other-run\n")
    end = threading.Timer(2, world.set, ("lock", ""))
    end.start()
    report = begin(world, plan)
    end.join()
    assert report.phase is TransactionPhase.COMMITTED, report
