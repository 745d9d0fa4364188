"""CPython with its libraries inside: one program and its standard library, in a folder that can be anywhere."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from libraries import build_libffi, build_openssl, build_sqlite, build_zlib
from sources import Sources
from toolchain import GLIBC, MACHINE, ZIG, Toolchain

if TYPE_CHECKING:
    from collections.abc import Callable

PYTHON = "python3.13"
_LIBRARIES: dict[str, Callable[[Toolchain, Path], None]] = {
    "zlib": build_zlib,
    "libffi": build_libffi,
    "sqlite3": build_sqlite,
    "openssl": build_openssl,
}
# In each source, the file that says under which terms it may be passed on, and their SPDX name.
_LICENSES = {
    PYTHON: ("LICENSE", "PSF-2.0"),
    "openssl": ("LICENSE.txt", "Apache-2.0"),
    "sqlite3": ("LICENSE.md", "blessing"),
    "libffi": ("LICENSE", "MIT"),
    "zlib": ("LICENSE", "Zlib"),
}
_UNUSED = ("idlelib", "tkinter", "turtledemo", "turtle.py", "ensurepip", "pydoc_data", "test", "__phello__")


def find_interpreter(cache: Path) -> Path:
    """Return the folder of the interpreter, building it if the cache has none of these versions and this recipe."""
    with tempfile.TemporaryDirectory(prefix="harbor-agent-standalone.") as name:
        scratch = Path(name)
        sources = Sources.update(scratch / "apt")
        versions = sources.find_versions()
        found = cache / f"{PYTHON}-{MACHINE}-{_hash_recipe(versions)}"
        if not found.is_dir():
            _build(sources, versions, scratch, scratch / "built")
            cache.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=cache))
            shutil.copytree(scratch / "built", unfinished, symlinks=True, dirs_exist_ok=True)
            unfinished.chmod(0o755)
            unfinished.rename(found)
    return found


def _hash_recipe(versions: dict[str, str]) -> str:
    here = Path(__file__).parent
    recipe = [
        (here / name).read_text(encoding="utf-8")
        for name in ("interpreter.py", "libraries.py", "sources.py", "toolchain.py")
    ]
    return hashlib.sha256(json.dumps([versions, recipe]).encode()).hexdigest()[:12]


def _build(sources: Sources, versions: dict[str, str], scratch: Path, target: Path) -> None:
    named = ", ".join(f"{package} {version}" for package, version in versions.items())
    sys.stderr.write(f"standalone: building {named} with zig {ZIG} for glibc {GLIBC[0]}.{GLIBC[1]}\n")
    tools = Toolchain.install(scratch)
    unpacked = {package: sources.unpack(package, versions[package], scratch / package) for package in versions}
    with ThreadPoolExecutor() as pool:  # SQLite is one file, and a configure uses one core
        started = [pool.submit(build, tools, unpacked[package]) for package, build in _LIBRARIES.items()]
    for build in started:
        build.result()
    _build_python(tools, unpacked[PYTHON], target)
    parts = []
    for package, (file, license_) in _LICENSES.items():
        terms = target / "licenses" / package
        terms.mkdir(parents=True)
        shutil.copy(unpacked[package] / file, terms)
        parts.append({"name": package, "version": versions[package], "license": license_})
    (target / "parts.json").write_text(json.dumps(parts, indent=2), encoding="utf-8")


def _build_python(tools: Toolchain, source: Path, target: Path) -> None:
    lib, include = tools.prefix / "lib", f"-I{tools.prefix / 'include'}"
    variables = {
        "MODULE_BUILDTYPE": "static",
        "LDFLAGS": "-s",
        # Found by running a program, which fails if the machine that builds has no /dev/shm.
        "ac_cv_posix_semaphores_enabled": "yes",
        "ac_cv_broken_sem_getvalue": "no",
        "ZLIB_CFLAGS": include,
        "ZLIB_LIBS": str(lib / "libz.a"),
        "LIBFFI_CFLAGS": include,
        "LIBFFI_LIBS": str(lib / "libffi.a"),
        "LIBSQLITE3_CFLAGS": include,
        "LIBSQLITE3_LIBS": f"-L{lib} -lsqlite3 -lm",
    }
    # What pkg-config finds on this machine is compiled for its own glibc.
    variables["PKG_CONFIG"] = "false"
    left_out = ("_bz2", "_curses", "_curses_panel", "_dbm", "_gdbm", "_lzma", "_tkinter", "_uuid")
    variables |= {f"py_cv_module_{name}": "n/a" for name in left_out}
    options = ("--without-ensurepip", "--disable-test-modules", "--without-static-libpython", "--without-readline")
    tools.run(
        *("./configure", "--quiet", "--prefix=/usr", *options, f"--with-openssl={tools.prefix}"),
        *(f"{name}={value}" for name, value in variables.items()),
        cwd=source,
        CFLAGS="-O2",
    )
    tools.make("python", "platform", cwd=source)
    library = target / "lib" / PYTHON
    (target / "bin").mkdir(parents=True)
    shutil.copy(source / "python", target / "bin" / PYTHON)
    shutil.copytree(source / "Lib", library, ignore=shutil.ignore_patterns("__pycache__", *_UNUSED))
    for built in source.glob("build/lib.*/_sysconfigdata_*.py"):
        settings = built.read_text(encoding="utf-8").replace(str(tools.prefix), "/usr")
        (library / built.name).write_text(settings, encoding="utf-8")
    (library / "lib-dynload").mkdir()  # empty, but by this folder Python finds where it is
    check_interpreter(target / "bin" / PYTHON)


def check_interpreter(python: Path) -> None:
    """Import what is needed and compiled: configure leaves out, without an error, what it does not find."""
    modules = "ctypes, hashlib, multiprocessing.synchronize, sqlite3, ssl, zlib"
    subprocess.run(
        [str(python), "-I", "-c", f"import {modules}; hashlib.scrypt; ssl.create_default_context()"], check=True
    )
