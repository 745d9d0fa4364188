"""Debian's source packages of the interpreter and of the libraries inside it: their versions and their files.

Only apt's check of signatures makes them trustworthy, so nothing is fetched past it. apt's own lists stay as they are.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = "trixie"
PACKAGES = ("python3.13", "openssl", "sqlite3", "libffi", "zlib")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_ARCHIVES = {"Debian": (RELEASE, f"{RELEASE}-updates"), "Debian-Security": (f"{RELEASE}-security",)}


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The source packages of a Debian release; `folder` holds lists and files."""

    folder: Path

    @classmethod
    def update(cls, folder: Path) -> Sources:
        """Fetch the lists of source packages from where this machine gets its Debian."""
        (folder / "lists/partial").mkdir(parents=True)
        (folder / "files").mkdir()
        targets = _run("apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages")
        sites = dict(line.split(maxsplit=1) for line in targets.splitlines() if len(line.split()) > 1)
        if "Debian" not in sites:
            sys.exit("standalone: apt has no lists of a Debian mirror: run 'apt-get update' on a Debian machine")
        lines = [
            f"deb-src [signed-by={_KEYRING}] {sites[label]} {suite} main\n"
            for label, suites in _ARCHIVES.items()
            for suite in suites
            if label in sites
        ]
        (folder / "sources.list").write_text("".join(lines), encoding="utf-8")
        sources = cls(folder=folder)
        sources.apt("apt-get", "update")
        return sources

    def apt(self, program: str, *arguments: str) -> str:
        """Run a program of apt over these sources alone, in the folder of files, and return what it prints."""
        options = {
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": self.folder / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self.folder,
            "APT::Sandbox::User": "root",
        }
        flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return _run(program, "-qq", *flags, *arguments, cwd=self.folder / "files")

    def find_versions(self) -> dict[str, str]:
        """Return the newest version of each package that can be fetched: a mirror may list one that it lacks."""
        return {package: self._find_version(package) for package in PACKAGES}

    def _find_version(self, package: str) -> str:
        rows = [line.split(" | ") for line in self.apt("apt-cache", "madison", package).splitlines()]
        for version in sorted({row[1].strip() for row in rows}, key=functools.cmp_to_key(_compare), reverse=True):
            try:
                self.apt("apt-get", "--only-source", "--download-only", "--dsc-only", "source", f"{package}={version}")
            except subprocess.CalledProcessError:
                sys.stderr.write(f"standalone: the mirror lists {package} {version} and does not have it\n")
            else:
                return version
        sys.exit(f"standalone: the mirror has no source of {package}")

    def unpack(self, package: str, version: str, target: Path) -> Path:
        """Fetch a source package and unpack it into `target`, with Debian's patches."""
        self.apt("apt-get", "--only-source", "--download-only", "source", f"{package}={version}")
        epochless = version.rsplit(":", maxsplit=1)[-1]
        description = self.folder / "files" / f"{package}_{epochless}.dsc"
        # What Debian changes of Python's own layout (*.diff) is for Debian; its other patches mend what is broken.
        python = package.startswith("python")
        skipped = ("--skip-patches",) if python else ()
        _run("dpkg-source", "--no-check", "--no-copy", *skipped, "--extract", str(description), str(target))
        if python:
            _apply_fixes(target)
        return target


def _apply_fixes(source: Path) -> None:
    patches = source / "debian/patches"
    for name in (patches / "series").read_text(encoding="utf-8").split():
        if name.endswith(".patch"):
            _run("patch", "--strip=1", "--no-backup-if-mismatch", f"--input={patches / name}", cwd=source)


def _compare(one: str, other: str) -> int:
    older = subprocess.run(["dpkg", "--compare-versions", one, "lt", other], check=False).returncode == 0  # noqa: S607
    return -1 if older else int(one != other)


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout
