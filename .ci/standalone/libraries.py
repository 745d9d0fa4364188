"""The libraries inside the interpreter, as archives whose symbols stay hidden from the wheels that bring their own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain import Toolchain

_HIDDEN = "-O2 -fPIC -fvisibility=hidden"
# What Python's ssl and hashlib do not use, left out for the time that it takes to compile.
_OPENSSL_WITHOUT = [
    "shared",
    "module",
    "engine",
    "legacy",
    "tests",
    "apps",
    "docs",
    "quic",
    "cmp",
    "ssl-trace",
    "ui-console",
]


def build_zlib(tools: Toolchain, source: Path) -> None:
    """Build libz.a."""
    tools.run("./configure", "--static", f"--prefix={tools.prefix}", cwd=source, CFLAGS=_HIDDEN)
    tools.make("libz.a", cwd=source)
    tools.make("install", cwd=source)


def build_libffi(tools: Toolchain, source: Path) -> None:
    """Build libffi.a; Debian's source is upstream's tree, without a configure."""
    tools.run("autoreconf", "--force", "--install", cwd=source)
    # A test of configure that never ends with zig: it links a section of which the linker makes nothing.
    options = ("--quiet", "libffi_cv_as_x86_64_unwind_section_type=no", "--disable-shared", "--disable-docs")
    tools.run(
        "./configure", *options, "--disable-multi-os-directory", f"--prefix={tools.prefix}", cwd=source, CFLAGS=_HIDDEN
    )
    tools.make("install", cwd=source)


def build_sqlite(tools: Toolchain, source: Path) -> None:
    """Build libsqlite3.a from the one file that its tools make of the source."""
    options = ("--quiet", "--disable-shared", "--disable-tcl", "--disable-readline", "--disable-load-extension")
    tools.run("./configure", *options, f"--prefix={tools.prefix}", cwd=source)
    tools.make("sqlite3.c", cwd=source)
    features = ("-DSQLITE_THREADSAFE=1", "-DSQLITE_OMIT_LOAD_EXTENSION", "-DSQLITE_ENABLE_MATH_FUNCTIONS")
    tools.run("cc", *_HIDDEN.split(), *features, "-c", "sqlite3.c", cwd=source)
    archive = tools.prefix / "lib/libsqlite3.a"
    tools.run("ar", "rcs", str(archive), "sqlite3.o", cwd=source)
    shutil.copy(source / "sqlite3.h", tools.prefix / "include")


def build_openssl(tools: Toolchain, source: Path) -> None:
    """Build libssl.a and libcrypto.a; certificates are those of the system, in /etc/ssl."""
    without = [f"no-{feature}" for feature in _OPENSSL_WITHOUT]
    places = (f"--prefix={tools.prefix}", "--libdir=lib", "--openssldir=/etc/ssl")
    tools.run("perl", "Configure", *places, *without, "-fvisibility=hidden", cwd=source)
    tools.make("build_libs", cwd=source)
    tools.run("make", "--silent", "install_dev", cwd=source)
