"""Places on a node that cannot be written, each with the code under which that is reported."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node import LabNode

_STATE = "/var/lib/harbor-agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """What fires a fault in a folder, what takes it away, the command that proves that it fired, and its code.

    `{0}` stands for the folder, `{1}` for the file in it that is to be changed.
    """

    fire: str
    mend: str
    proof: str
    code: str

    @contextmanager
    def on(self, node: LabNode, file: str) -> Iterator[None]:
        """Put it in the way of changing `file`."""
        folder = _STATE if self.code == "state-not-writable" else file.rpartition("/")[0]
        node.run(self.fire.format(folder, file))
        try:
            assert node.succeeds(self.proof.format(folder, file)), self
            yield
        finally:
            node.run(self.mend.format(folder, file))


_COVER = (
    "rm -rf /root/kept; cp -a {0} /root/kept && mount -t tmpfs -o %s,mode=755 small {0} && cp -a /root/kept/. {0}; "
)
_FILL = "dd if=/dev/zero of={0}/filling bs=4k 2>/dev/null; sync"
_CROWD = "i=0; while touch {0}/filling$i 2>/dev/null; do i=$((i + 1)); done"
_UNCOVER = "umount {0}; rm -rf /root/kept"
READ_ONLY = Obstacle(
    fire="mount --bind {0} {0} && mount -o remount,bind,ro {0}",
    mend="umount {0}",
    proof="! touch {0}/x",
    code="file-not-writable",
)
# As a file that is immutable, or mounted into a container, it takes no other's place.
PINNED = Obstacle(
    fire="mount --bind {1} {1}",
    mend="umount {1}",
    proof="cp {1} {0}/x; ! mv {0}/x {1} && rm {0}/x",
    code="file-not-writable",
)
FULL = Obstacle(fire=_COVER % "size=64k" + _FILL, mend=_UNCOVER, proof="! cp /etc/services {0}/x", code="no-space")
NO_INODES = Obstacle(fire=_COVER % "nr_inodes=20" + _CROWD, mend=_UNCOVER, proof="! touch {0}/x", code="no-space")
STATE_FULL = Obstacle(
    fire="mkdir -p -m 700 {0}; mount -t tmpfs -o size=16k small {0} && " + _FILL,
    mend="umount {0}",
    proof="! cp /etc/services {0}/x",
    code="state-not-writable",
)
