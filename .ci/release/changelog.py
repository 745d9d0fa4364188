"""The sections of CHANGELOG.md: one for each version, and [Unreleased] before them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

UNRELEASED = "Unreleased"
_HEAD = re.compile(r"^## \[([^\]]+)\].*\n", re.MULTILINE)


def read_sections(text: str) -> dict[str, str]:
    """Return the text of each section by its version or UNRELEASED."""
    _, *parts = _HEAD.split(text)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def begin_section(text: str, version: str, day: date) -> str:
    """Return the changelog with everything that was unreleased under `version`."""
    head = f"## [{UNRELEASED}]\n"
    return text.replace(head, f"{head}\n## [{version}] - {day.isoformat()}\n", 1)
