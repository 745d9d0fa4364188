"""The compiler: ziglang from PyPI, which compiles for an older glibc than that of this machine."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ZIG = "0.17.1"
GLIBC = (2, 17)
MACHINE = platform.machine()
# What the builds run beside the compiler, and the Debian package that has it.
_PROGRAMS = {
    "aclocal": "automake",
    "autoreconf": "autoconf",
    "dpkg-source": "dpkg-dev",
    "libtoolize": "libtool",
    "make": "make",
    "patch": "patch",
    "perl": "perl",
    "tclsh": "tcl",
}
_LTDL = Path("/usr/share/aclocal/ltdl.m4")
_TARGET = f"{MACHINE}-linux-gnu.{GLIBC[0]}.{GLIBC[1]}"


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """A compiler and its tools; `prefix` gets headers and libraries, `environment` is for every step of a build."""

    prefix: Path
    environment: dict[str, str]

    @classmethod
    def install(cls, folder: Path) -> Toolchain:
        """Install ziglang below `folder`, with `cc`, `ar` and `ranlib` by these names, which appear in sysconfig."""
        absent = sorted({package for program, package in _PROGRAMS.items() if not shutil.which(program)})
        if absent := absent + ([] if _LTDL.exists() else ["libltdl-dev"]):
            sys.exit(f"standalone: programs are missing: apt-get install {' '.join(absent)}")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", str(folder / "zig"), f"ziglang=={ZIG}"], check=True)
        zig = folder / "zig/ziglang/zig"
        tools = folder / "bin"
        tools.mkdir()
        for name in ("cc", "ar", "ranlib"):
            # zig cc forbids __DATE__, for reproducible builds; Python and OpenSSL use it.
            options = f" -target {_TARGET} -Wno-date-time" if name == "cc" else ""
            (tools / name).write_text(f'#!/bin/sh\nexec {zig} {name}{options} "$@"\n', encoding="utf-8")
            (tools / name).chmod(0o755)
        for made in ("include", "lib"):
            (folder / "prefix" / made).mkdir(parents=True)
        kept = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "LC_ALL", "TMPDIR")}
        environment = kept | {
            "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "CC": "cc",
            "AR": "ar",
            "RANLIB": "ranlib",
            "ZIG_GLOBAL_CACHE_DIR": str(folder / "zig-cache"),
            "ZIG_LOCAL_CACHE_DIR": str(folder / "zig-cache"),
        }
        return cls(prefix=folder / "prefix", environment=environment)

    def run(self, *command: str, cwd: Path, **variables: str) -> None:
        """Run one step of a build in `cwd`; what it printed is shown if it fails."""
        done = subprocess.run(
            command,
            cwd=cwd,
            env=self.environment | variables,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        if done.returncode:
            sys.exit(f"{done.stdout[-8000:]}\nstandalone: in {cwd}: {' '.join(command)} ended with {done.returncode}")

    def make(self, *arguments: str, cwd: Path) -> None:
        """Run make on every core."""
        self.run("make", "--silent", f"--jobs={os.cpu_count()}", *arguments, cwd=cwd)
