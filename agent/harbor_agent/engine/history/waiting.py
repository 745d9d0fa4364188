"""How long a run waits for a lock that another run holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.errors import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """At most `seconds`, until `stop` returns an exit code; `report` gets a line that names the holder."""

    seconds: float = 0.0
    report: Callable[[str], None] = lambda _: None
    stop: Callable[[], ExitCode | None] = lambda: None
