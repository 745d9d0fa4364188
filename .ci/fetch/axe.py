"""Unpack axe-core from the PyPI package that carries it, and print its path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel import fetch_once

if TYPE_CHECKING:
    from zipfile import ZipFile


def extract_script(wheel: ZipFile) -> bytes:
    """Return the one script that the tests need."""
    (name,) = (name for name in wheel.namelist() if name.endswith("/axe.min.js"))
    return wheel.read(name)


if __name__ == "__main__":
    fetch_once("axe-playwright-python", extract_script, ".axe/axe.min.js")
