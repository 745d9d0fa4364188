"""Whether this machine lets nodes be booted, found out by trying what they stand on."""

from __future__ import annotations

import secrets
import subprocess
import tempfile
from pathlib import Path

from tests.lab.base import cache_folder


def why_no_nodes() -> str | None:
    """Return why nodes cannot be booted here by root, in a few words; None where nothing speaks against it.

    A network namespace and an overlay are made and removed again, which a container without privileges refuses.
    """
    namespace = f"possible-{secrets.token_hex(3)}"
    try:
        added = _attempt("ip", "netns", "add", namespace)
        if added is None:
            _attempt("ip", "netns", "del", namespace)
            return _why_no_overlay()
    except OSError as error:
        return str(error)
    return added


def _why_no_overlay() -> str | None:
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="possible-") as name:
        folder = Path(name)
        for part in ("lower", "upper", "work", "root"):
            (folder / part).mkdir()
        layers = f"lowerdir={folder / 'lower'},upperdir={folder / 'upper'},workdir={folder / 'work'}"
        refused = _attempt("mount", "-t", "overlay", "overlay", "-o", layers, str(folder / "root"))
        if refused is None:
            _attempt("umount", str(folder / "root"))
        return refused


def _attempt(*argv: str) -> str | None:
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or [f"{argv[0]} failed"])[-1]
