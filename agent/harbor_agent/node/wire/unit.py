"""What probe.sh prints of any runtime's systemd unit and process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.daemon import UnitState
from harbor_agent.node.wire.framing import parse_number

if TYPE_CHECKING:
    from collections.abc import Mapping

# In seconds: a start is known to the second only, and a file may be written right before it.
_START_TOLERANCE = 2


def read_unit_facts(blocks: Mapping[str, bytes]) -> dict[str, str]:
    """Return the properties of the unit, as systemd names them."""
    return dict(line.split("=", 1) for line in read_lines(blocks, "unit") if "=" in line)


def build_unit(unit: str, facts: Mapping[str, str]) -> UnitState:
    """Build the state of `unit` from its properties."""
    return UnitState(
        name=unit,
        load_state=facts.get("LoadState", ""),
        active_state=facts.get("ActiveState", ""),
        unit_file_state=facts.get("UnitFileState", ""),
        fragment_path=facts.get("FragmentPath", ""),
        drop_in_paths=tuple(filter(None, facts.get("DropInPaths", "").split(" "))),
        need_daemon_reload=facts.get("NeedDaemonReload") == "yes",
    )


def read_argv(blocks: Mapping[str, bytes]) -> tuple[str, ...] | None:
    """Return the arguments of the process, None if it does not run."""
    argv = blocks.get("argv")
    return tuple(argv.decode("utf-8", "surrogateescape").removesuffix("\0").split("\0")) if argv else None


def find_changed_files(blocks: Mapping[str, bytes], changed: Mapping[str, int]) -> tuple[str, ...] | None:
    """Return the files whose ctime, in `changed`, is after the start of the process; None if that is not known."""
    started = read_text(blocks, "started").strip()
    if not started:
        return None
    latest = parse_number(started) + _START_TOLERANCE
    return tuple(path for path, seconds in changed.items() if seconds > latest)


def read_text(blocks: Mapping[str, bytes], name: str) -> str:
    """Return a block as text, "" if it is not there."""
    return blocks.get(name, b"").decode("utf-8", "replace")


def read_lines(blocks: Mapping[str, bytes], name: str) -> list[str]:
    """Return the lines of a block that are not empty."""
    return [line for line in read_text(blocks, name).split("\n") if line]
