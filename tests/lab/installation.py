"""The project as a wheel, installed on a node with all that it needs, as a controller of one's own would have it."""

from __future__ import annotations

import compileall
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from tests.lab.node import LabNode

PROGRAM = "/opt/harbor-agent/bin/harbor-agent"
PACKAGES = ("python3",)
# Compiled packages of this environment run under the same version of Python only.
_SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}
_PROJECT = Path(__file__).parents[2]


def suite() -> str | None:
    """Return the Debian whose Python is of this process's version; None where there is none."""
    return _SUITES.get(sys.version_info[:2])


def install(node: LabNode) -> None:
    """Put the project, built as a wheel, and the packages of this environment that it needs into a prepared node."""
    scripts = (node.root / PROGRAM.removeprefix("/")).parent
    packages = scripts.parent / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    packages.mkdir(parents=True)
    scripts.mkdir()
    # What makes a virtual environment of a folder.
    (scripts.parent / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (scripts / "python3").symlink_to("/usr/bin/python3")
    for name in sorted(_needed("harbor-node-agent")):
        package = distribution(name)
        _write_scripts(package, scripts)
        if name != "harbor-node-agent":
            _copy(package, packages)
    with tempfile.TemporaryDirectory() as wheels:
        argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels]
        subprocess.run(argv, cwd=_PROJECT, check=True, capture_output=True)
        (wheel,) = Path(wheels).glob("*.whl")
        shutil.unpack_archive(wheel, packages, format="zip")
    compileall.compile_dir(packages / "harbor_agent", quiet=2, stripdir=str(node.root))


def _write_scripts(package: Distribution, folder: Path) -> None:
    for script in package.entry_points.select(group="console_scripts"):
        file = folder / script.name
        file.write_text(
            f"#!{Path(PROGRAM).with_name('python3')}\nimport sys\nfrom {script.module} import {script.attr}\n\n"
            f"sys.exit({script.attr}())\n"
        )
        file.chmod(0o755)


def _needed(name: str) -> set[str]:
    """Return a package and all that it needs, by normalised names; with the project comes its extra for Ansible."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if one in found:
            continue
        found.add(one)
        for text in distribution(one).requires or ():
            requirement = Requirement(text)
            extra = "ansible" if one == name else ""
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting.append(requirement.name)
    return found


def _copy(package: Distribution, folder: Path) -> None:
    files = package.files
    if files is None:
        raise PackageNotFoundError(package.name)
    for file in files:
        source = Path(str(package.locate_file(file)))
        # Scripts lie beside the packages. Times are kept, since bytecode is only good for a file of its time.
        if ".." not in file.parts and source.exists():
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
