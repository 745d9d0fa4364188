"""`make demo`: the tool at work, on booted nodes where that is possible, else on file system trees."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

from harbor_agent.errors import ExitCode
from tests.lab import demo_nodes, demo_trees
from tests.lab.base import base_root
from tests.lab.stage import UnexpectedError, say
from tests.needs import missing, required

if TYPE_CHECKING:
    from types import FrameType


def main() -> int:
    """Run the demo; its last line names the mode. Returns 1 where a step did not do what it should."""
    signal.signal(signal.SIGTERM, _leave)
    reason = _why_no_nodes()
    if reason and "nodes" in required():
        say(f"demo: HARBOR_AGENT_REQUIRE asks for nodes: {reason}")
        return 1
    mode, show = ("trees", demo_trees.show) if reason else ("nodes", demo_nodes.show)
    if reason:
        say(f"No nodes can be booted here: {reason}\nThe same plans are shown on file system trees instead.")
    try:
        show()
    except (UnexpectedError, TimeoutError, LookupError, subprocess.CalledProcessError) as error:
        say("\n".join([f"\ndemo: failed: {error}", *getattr(error, "__notes__", ())]))
        return 1
    except KeyboardInterrupt:
        say("\ndemo: interrupted; everything it started is gone")
        return ExitCode.INTERRUPTED
    say(f"\ndemo: done (mode: {mode})")
    return 0


def _why_no_nodes() -> str | None:
    if reason := missing("nodes"):
        return reason
    try:
        base_root()
    except (LookupError, subprocess.CalledProcessError) as error:
        return f"their file system cannot be built: {error}"
    return None


def _leave(signal_number: int, _frame: FrameType | None) -> NoReturn:
    """End as after Ctrl-C: everything that was started is taken down on the way out."""
    raise SystemExit(128 + signal_number)


if __name__ == "__main__":
    sys.exit(main())
