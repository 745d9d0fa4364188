"""Holding a transaction on a node right after a step it has journalled, without a word about it in the product.

A `sync` that comes first in the node's PATH does the real one's work and then waits, where the journal it was given
ends with the step that is asked for. So the step is on disk, and nothing after it has been done.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.lab.shapes import CONTAINERD, WITHOUT_DAEMON
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.node import LabNode

# The pull that proves a change is no step of the journal; it is held before it begins. So is, on nodes with containerd,
# the question that a transaction asks it while it checks its health.
PULLING, ASKING = "pulling", "asking"

_SYNC = """\
#!/bin/sh
/usr/bin/sync "$@" || exit
case $1 in */journal) ;; *) exit 0 ;; esac
[ -f /var/failpoint ] || exit 0
read -r step </var/failpoint
case $(tail -n 1 "$1") in "$step "*) ;; *) exit 0 ;; esac
echo "$1" >/var/failpoint.new && mv /var/failpoint.new /var/failpoint.reached
while [ -e /var/failpoint ]; do sleep 0.05; done
"""
_DOCKER = """\
#!/bin/sh
case $(cat /var/failpoint 2>/dev/null):" $* " in
  pulling:*" pull "*)
    echo /var/pull >/var/failpoint.reached
    while [ -e /var/failpoint ]; do sleep 0.05; done
    ;;
esac
exec /usr/bin/docker "$@"
"""
_CURL = """\
#!/bin/sh
case $(cat /var/failpoint 2>/dev/null):"$* " in
  asking:*ImageService/PullImage*)
    journal=$(ls -td /var/lib/harbor-agent/transactions/*/ | head -n 1)journal
    case $(tail -n 1 "$journal") in
      'health '*)
        echo "$journal" >/var/failpoint.new && mv /var/failpoint.new /var/failpoint.reached
        while [ -e /var/failpoint ]; do sleep 0.05; done
        ;;
    esac
    ;;
esac
exec /usr/bin/curl "$@"
"""


class Failpoint:
    """The failpoint of one node; `step` is a word of the journal such as `swapped-1`, PULLING or ASKING."""

    def __init__(self, node: LabNode, step: str) -> None:
        self.node = node
        self.step = step
        self._order = node.root / "var/failpoint"
        self._reached = node.root / "var/failpoint.reached"

    def set(self) -> None:
        """From now on the transaction stops behind the step."""
        self._reached.unlink(missing_ok=True)
        self._order.write_text(f"{self.step}\n")

    def wait(self, seconds: float = 60) -> Path:
        """Return the transaction's directory, as this machine sees it, once it is held there: the fault can fire."""
        wait_until(self._reached.exists, f"{self.node.name} has journalled {self.step}", seconds=seconds, every=0.02)
        return (self.node.root / self._reached.read_text().strip().lstrip("/")).parent

    def release(self) -> None:
        """Let it go on, or not be held any more at its next try."""
        self._order.unlink(missing_ok=True)
        self._reached.unlink(missing_ok=True)


def install(node: LabNode) -> None:
    """Put the shims onto a node, where they do nothing until a failpoint is set."""
    shims = [("sync", _SYNC)]
    if node.shape not in WITHOUT_DAEMON:
        shims.append(("curl", _CURL) if node.shape in CONTAINERD else ("docker", _DOCKER))
    for name, text in shims:
        shim = node.root / "usr/local/sbin" / name
        shim.write_text(text)
        shim.chmod(0o755)


@contextmanager
def held(*points: Failpoint) -> Iterator[None]:
    """Set failpoints; whatever is still held at the end of the block goes on."""
    for point in points:
        point.set()
    try:
        yield
    finally:
        for point in points:
            point.release()


def journalled(directory: Path) -> list[str]:
    """Return the steps of a transaction's journal, in their order; nothing for one that is not there."""
    try:
        lines = (directory / "journal").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [line.split()[0] for line in lines if line.endswith(" .")]


def is_final(directory: Path) -> bool:
    """Return whether the transaction has come to its end."""
    return bool({"committed", "rolled_back", "rollback_failed", "refused"} & set(journalled(directory)[-1:]))
