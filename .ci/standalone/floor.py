"""The oldest glibc that the folder runs with, read from the programs and libraries themselves."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SYMBOL = re.compile(r"\bGLIBC_(\d+)\.(\d+)")


def find_floor(folder: Path) -> tuple[int, int]:
    """Return the newest version of glibc of which any ELF file in `folder` needs a symbol."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and _is_elf(path)]
    listed = subprocess.run(
        ["objdump", "-T", *map(str, files)],  # noqa: S607 - of binutils
        check=True,
        capture_output=True,
        text=True,
    )
    return max((int(major), int(minor)) for major, minor in _SYMBOL.findall(listed.stdout))


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"
