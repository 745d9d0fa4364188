"""Points in time whose distance does not depend on changes of the wall clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point in time: the wall clock (seconds since 1970), and the boot with its uptime in seconds.

    Setting the wall clock does not change the uptime. `boot_id` is "" if the kernel does not provide one.
    """

    unix_time: float
    boot_id: str
    uptime: float

    @classmethod
    def now(cls) -> Moment:
        """Return the present moment."""
        boot_id = _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""
        return cls(unix_time=time.time(), boot_id=boot_id, uptime=time.monotonic())

    def seconds_since(self, earlier: Moment) -> float:
        """Return the seconds since `earlier`: by uptime within one boot, else by the wall clock and at least 0."""
        if self.boot_id and self.boot_id == earlier.boot_id:
            return self.uptime - earlier.uptime
        return max(0.0, self.unix_time - earlier.unix_time)
