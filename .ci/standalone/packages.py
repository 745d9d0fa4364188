"""The project and all that it needs, inside the interpreter's folder: wheels by platform, programs, bytecode."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from importlib.metadata import distributions
from typing import TYPE_CHECKING

from interpreter import PYTHON
from toolchain import GLIBC, MACHINE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution
    from pathlib import Path

# Beside harbor-agent, these have programs that --transport ansible and its users need.
_WITH_PROGRAMS = ("ansible-core", "ansible-runner")
_PROGRAMS_LEFT_OUT = ("ansible-console", "ansible-test")  # the first needs readline, the second is for developers
# `readlink` finds the folder through a link to the program; a shell reads line 2 only, Python takes it for a text.
_PROGRAM = """\
#!/bin/sh
'''exec' "$(dirname -- "$(readlink -f -- "$0")")/{python}" -I "$0" "$@" # '''
import sys
from {module} import {name}
sys.exit({call}())
"""


def install_packages(folder: Path, scratch: Path, root: Path) -> None:
    """Install the project at `root`, with what --transport ansible needs, into the interpreter in `folder`."""
    wheels = scratch / "wheels"
    own = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*own, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(root)], check=True)
    subprocess.run([*own, "download", "--quiet", "--no-deps", "--dest", str(scratch / "pip"), "pip"], check=True)
    (project,) = wheels.glob("*.whl")
    wanted = f"harbor-node-agent[ansible] @ {project.as_uri()}"
    # The new interpreter's own pip: another one judges what is needed by its own version.
    (pip,) = (scratch / "pip").glob("*.whl")
    environment = os.environ | {
        "PYTHONPATH": str(pip),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    new = [str(folder / "bin" / PYTHON), "-m", "pip", "--disable-pip-version-check"]
    download = [*new, "download", "--quiet", "--dest", str(wheels), "--only-binary=:all:", *_name_platforms(), wanted]
    subprocess.run(download, env=environment, check=True)
    install = [*new, "install", "--quiet", "--no-compile", "--no-warn-script-location", "--no-index"]
    subprocess.run([*install, "--find-links", str(wheels), "harbor-node-agent[ansible]"], env=environment, check=True)
    keep_own_pages(folder / "share")
    write_programs(folder)


def keep_own_pages(share: Path) -> None:
    """Remove everything but our manual pages from share: pages of the packages, and data that none of them reads."""
    for path in sorted(share.rglob("*"), reverse=True):
        if path.is_dir():
            with contextlib.suppress(OSError):  # it holds pages of ours
                path.rmdir()
        elif not path.match("man/man1/harbor-agent*.1"):
            path.unlink()


def _name_platforms() -> Iterator[str]:
    """Yield pip's options for wheels that run with the interpreter's glibc; pip itself takes what runs here."""
    for minor in range(GLIBC[1], 4, -1):
        yield f"--platform=manylinux_2_{minor}_{MACHINE}"
    yield from (f"--platform=manylinux{name}_{MACHINE}" for name in ("2014", "2010", "1"))


def find_site(folder: Path) -> Path:
    """Return where packages are installed."""
    return folder / "lib" / PYTHON / "site-packages"


def find_distributions(folder: Path) -> list[Distribution]:
    """Return the installed packages by name."""
    found = distributions(path=[str(find_site(folder))])
    return sorted(found, key=lambda distribution: distribution.metadata["Name"].lower())


def write_programs(folder: Path) -> None:
    """Replace the programs that pip wrote, which name the interpreter by its place here, by ones that find it."""
    for path in (folder / "bin").iterdir():
        if path.name != PYTHON:
            path.unlink()
    for distribution in find_distributions(folder):
        if distribution.metadata["Name"] in _WITH_PROGRAMS:
            entries = distribution.entry_points.select(group="console_scripts")
            for entry in (entry for entry in entries if entry.name not in _PROGRAMS_LEFT_OUT):
                name = entry.attr.split(".")[0]
                text = _PROGRAM.format(python=PYTHON, module=entry.module, name=name, call=entry.attr)
                (folder / "bin" / entry.name).write_text(text, encoding="utf-8")
                (folder / "bin" / entry.name).chmod(0o755)


def compile_bytecode(folder: Path) -> None:
    """Compile everything: the folder may be read-only where it is used. The hashes of sources are not compared."""
    python = folder / "bin" / PYTHON
    options = ["-q", "-j0", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", "/"]
    subprocess.run([str(python), "-I", "-m", "compileall", *options, str(folder / "lib")], check=False)
