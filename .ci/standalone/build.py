"""Build dist/harbor-node-agent-…-linux-…: harbor-agent with a Python of its own, as a folder and as a .tar.xz of it.

The interpreter is built once for each of its versions and kept in the cache of this user.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from floor import find_floor
from interpreter import find_interpreter
from licenses import write_licenses
from packages import compile_bytecode, find_distributions, install_packages
from toolchain import GLIBC, MACHINE

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def main() -> None:
    """Build the folder and the archive again, and print where they are."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "harbor-agent-standalone"
    interpreter = find_interpreter(cache)
    with tempfile.TemporaryDirectory(prefix="harbor-agent-standalone.") as name:
        work = Path(name) / "folder"
        shutil.copytree(interpreter, work, symlinks=True)
        install_packages(work, Path(name), ROOT)
        release = next(
            part.version for part in find_distributions(work) if part.metadata["Name"] == "harbor-node-agent"
        )
        shutil.copy(HERE / "harbor-agent", work / "bin")
        shutil.copy(ROOT / "LICENSE", work)
        write_licenses(work)
        floor = find_floor(work)
        if floor > GLIBC:
            sys.exit(f"standalone: a file needs glibc {floor[0]}.{floor[1]}, later than {GLIBC[0]}.{GLIBC[1]}")
        words = {"RELEASE": release, "MACHINE": MACHINE, "GLIBC": f"{floor[0]}.{floor[1]}"}
        text = (HERE / "README.md").read_text(encoding="utf-8")
        (work / "README.md").write_text(re.sub(r"@([A-Z]+)@", lambda found: words[found[1]], text), encoding="utf-8")
        compile_bytecode(work)
        work.chmod(0o755)
        folder = ROOT / "dist" / f"harbor-node-agent-{release}-linux-{MACHINE}"
        folder.parent.mkdir(exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.move(work, folder)
    archive = pack(folder)
    sys.stdout.write(f"{folder}\n{archive}\n")


def pack(folder: Path) -> Path:
    """Write the .tar.xz of a folder, beside it, without the names and times of this machine."""
    archive = folder.with_name(f"{folder.name}.tar.xz")
    options = (
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mtime=@0",
        "--use-compress-program=xz -T0 -2",
    )
    tar = ["tar", "--create", f"--file={archive}", *options, f"--directory={folder.parent}", folder.name]
    subprocess.run(tar, check=True)
    return archive


if __name__ == "__main__":
    main()
