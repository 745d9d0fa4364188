"""A change of a ConfigMap as a unified diff of its keys, secrets masked."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.dns import ConfigMapChange


def render_config_map_diff(change: ConfigMapChange) -> str:
    """Return the change of every key with three lines of context, /dev/null for a key that does not exist."""
    before = change.before.data
    after = change.after.data if change.after else {}
    return "".join(
        line
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
        for line in _render_key(f"{change.before.full_name} {key}", before.get(key), after.get(key))
    )


def _render_key(label: str, before: str | None, after: str | None) -> Iterator[str]:
    headers = [label if text is not None else "/dev/null" for text in (before, after)]
    lines = [mask_text((text or "").encode()).splitlines(keepends=True) for text in (before, after)]
    for line in difflib.unified_diff(lines[0], lines[1], headers[0], headers[1]):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
