"""What must not be left on a node behind a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.lab.node import LabNode

_LEFT = "find /etc /run -xdev -name '*harbor-agent*'"


def assert_nothing_left(node: LabNode) -> None:
    """Assert that soon nothing in /etc and /run bears the name: systemd forgets a transient unit when it likes."""
    try:
        wait_until(lambda: node.run(_LEFT, check=False).stdout == "", f"nothing is left on {node.name}", seconds=30)
    except TimeoutError as error:
        error.add_note(node.run(_LEFT, check=False).stdout)
        raise
    assert node.run("stat -c %a /var/lib/harbor-agent").stdout == "700\n"
