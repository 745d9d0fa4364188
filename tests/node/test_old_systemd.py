"""An older systemd, which refuses what it does not know: CentOS 7 has 219, Ubuntu 16.04 has 229."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.result import TransactionPhase
from tests.node.transactions import ENTRY, assert_no_leftovers, begin, restart_plan, roll_back

if TYPE_CHECKING:
    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")

# Of the settings of a unit it knows KillMode=; the options are of 236 and 240.
_STRICT = """
before=
for argument; do
  case $before:$argument in
    -p:KillMode=*) ;;
    -p:*) echo "Unknown assignment $argument." >&2; exit 1 ;;
    *:--collect | *:--service-type=exec) echo "unrecognized option '$argument'" >&2; exit 1 ;;
  esac
  before=$argument
done
"""


@pytest.fixture(params=["219", "229"])
def old(world: World, request: pytest.FixtureRequest) -> World:
    world.replace("systemctl", f'[ "$*" != --version ] || {{ echo "systemd {request.param}"; exit; }}')
    world.replace("systemd-run", _STRICT)
    world.set("no-stop-post", "")
    return world


def test_a_change_is_made_and_taken_back(old: World) -> None:
    report = begin(old, restart_plan(old))
    assert report.phase is TransactionPhase.COMMITTED, report
    assert old.live() == {ENTRY}
    assert roll_back(old).phase is TransactionPhase.ROLLED_BACK
    assert old.live() == set()
    assert_no_leftovers(old)
