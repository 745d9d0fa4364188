"""A change of one file as a unified diff that people may see: whole, with mode and owner, secrets masked."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_text

if TYPE_CHECKING:
    from harbor_agent.model.plan import FileChange
    from harbor_agent.model.state import FileState


def render_diff(change: FileChange) -> str:
    """Return the change as a unified diff with three lines of context, /dev/null for an absent side.

    The headers carry mode and owner, as `0644 0:0`. Lines whose only difference is masked look equal.
    """
    before, after = change.before, change.after
    if b"\0" in (before.content or b"") or b"\0" in (after.content or b""):
        return f"--- {_build_header(before)}\n+++ {_build_header(after)}\nBinary files differ\n"
    lines = difflib.unified_diff(
        _split_lines(before), _split_lines(after), _build_header(before), _build_header(after), lineterm="\n"
    )
    shown = [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]
    return "".join(shown) or f"--- {_build_header(before)}\n+++ {_build_header(after)}\n"


def _split_lines(state: FileState) -> list[str]:
    if not state.content:
        return []
    parts = mask_text(state.content).split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _build_header(state: FileState) -> str:
    return f"{state.path}\t{state.mode:04o} {state.uid}:{state.gid}" if state.exists else "/dev/null"
