"""Unpack axe-core from the PyPI package that carries it, and print its path.

Only this one file is taken, and nothing that the package depends on is installed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "axe-playwright-python"
TARGET = Path(__file__).resolve().parents[2] / ".axe/axe.min.js"


def main() -> None:
    """Fetch the script once."""
    if not TARGET.exists():
        TARGET.parent.mkdir(exist_ok=True)
        partial = TARGET.with_name("axe.partial")
        partial.write_bytes(download_script())
        partial.rename(TARGET)
    print(TARGET)  # noqa: T201 - what the caller wants to know


def download_script() -> bytes:
    """Return the script in the package's wheel."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*argv, "--dest", folder, PACKAGE], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as package:
            (name,) = (name for name in package.namelist() if name.endswith("/axe.min.js"))
            return package.read(name)


if __name__ == "__main__":
    main()
