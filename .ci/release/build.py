"""Build dist/release-VERSION: every file of a release, and SHA256SUMS over them. Nothing is published."""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
from pathlib import Path

from check import find_faults
from contents import FILES
from versions import read_version

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"


def main() -> None:
    """Build everything, and print the folder; it has its name only when it is complete."""
    if faults := find_faults(ROOT):
        sys.exit("\n".join(f"release: {fault}" for fault in faults))
    version = read_version(ROOT)
    folder, unfinished = DIST / f"release-{version}", DIST / "release.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    environment = dict(os.environ)
    for target, pattern in FILES.items():
        file = make(target, environment)
        if not fnmatch.fnmatchcase(file.name, pattern.format(version)):
            sys.exit(f"release: make {target} made {file.name}, not {pattern.format(version)}")
        shutil.move(file, unfinished)
        if target == "standalone":
            environment["HARBOR_AGENT_STANDALONE"] = str(file).removesuffix(".tar.xz")
    write_sums(unfinished)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    sys.stdout.write(f"{folder}\n")


def make(target: str, environment: dict[str, str]) -> Path:
    """Run a target of the Makefile, and return the file that it names last."""
    sys.stderr.write(f"release: make {target}\n")
    command = ["make", "--silent", "--no-print-directory", target]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode or not done.stdout.split():
        sys.exit(f"{done.stdout}release: make {target} ended with {done.returncode}")
    return ROOT / done.stdout.split()[-1]


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS over every file of the folder."""
    names = sorted(path.name for path in folder.iterdir())
    with (folder / "SHA256SUMS").open("w") as sums:
        subprocess.run(["sha256sum", "--", *names], cwd=folder, stdout=sums, check=True)  # noqa: S607 - of coreutils


if __name__ == "__main__":
    main()
