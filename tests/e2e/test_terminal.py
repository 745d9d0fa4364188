"""A person applies a change on a terminal: the question, the node at work with its step, and an end without traces."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.screen import Session

if TYPE_CHECKING:
    from tests.e2e.site import Site

pytestmark = pytest.mark.needs("nodes")


def test_the_only_node_of_a_wave_is_seen_at_work(fresh_site: Site) -> None:
    lab, node = fresh_site.lab, fresh_site.nodes[0]
    inventory = str(lab.write_inventory("terminal.ini", nodes=[node]))
    program = str(Path(sys.executable).with_name("harbor-agent"))
    apply = [program, "apply", "-i", inventory, "--registry", fresh_site.registry.entry]
    session = Session(lab.network.inside(apply), 100, dict(lab.environment))
    session.wait_for(lambda text: "[y/N]" in text)
    session.type("y\n")
    session.wait_for(lambda text: re.search(rf"^ *{node.name}  .* \d:\d\d$", text, re.MULTILINE))
    session.type("nothing of this is shown\n\n")
    session.wait_for(lambda text: re.search(rf"^ *{node.name}  restart +0", text.partition("[y/N]")[2], re.MULTILINE))
    shown = session.end()
    assert shown.code == 0, shown.text
    assert "nothing of this" not in shown.text
    assert shown.has_echo
    assert shown.lines[-1].startswith("Done: 1 changed, 1 not proven by a pull (run "), shown.text
    assert shown.text.count(f"  {node.name}: changed") == 1
