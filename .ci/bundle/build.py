"""Build dist/bundle-…: wheels of the project and of all that it needs, and a script that installs from them alone.

Run it with the Python that the bundle is for: its version and the machine are in the name.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_")


def main() -> None:
    """Build the bundle anew and print where it is."""
    dist = ROOT / "dist"
    work = dist / "bundle.new"
    shutil.rmtree(work, ignore_errors=True)
    wheels = work / "wheels"
    wheels.mkdir(parents=True)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "wheel",
            "--quiet",
            "--wheel-dir",
            wheels,
            f"{ROOT}[ansible]",
        ],
        check=True,
    )
    names = sorted(path.name for path in wheels.glob("*.whl"))
    release = next(name.split("-")[1] for name in names if name.startswith("harbor_node_agent-"))
    words = {
        "RELEASE": release,
        "VERSION": f"{sys.version_info.major}.{sys.version_info.minor}",
        "PYTHON": f"{platform.python_implementation()} {sys.version_info.major}.{sys.version_info.minor}",
        "MACHINE": platform.machine(),
        "GLIBC": glibc(names),
    }
    for file in ("install.sh", "README.md"):
        text = (HERE / file).read_text(encoding="utf-8")
        (work / file).write_text(re.sub(r"@([A-Z]+)@", lambda found: words[found[1]], text), encoding="utf-8")
    (work / "install.sh").chmod(0o755)
    shutil.copy(ROOT / "LICENSE", work)
    write_sums(work)
    tag = f"{sys.implementation.cache_tag.replace('cpython-', 'cp')}-linux_{platform.machine()}"
    bundle = dist / f"bundle-harbor-node-agent-{release}-{tag}"
    shutil.rmtree(bundle, ignore_errors=True)
    work.rename(bundle)
    archive = bundle.with_name(f"{bundle.name}.tar.gz")
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(bundle, arcname=bundle.name)
    sys.stdout.write(f"{bundle}\n{archive}\n")


def glibc(names: list[str]) -> str:
    """Return which glibc the wheels need: of each wheel the oldest that will do, of all wheels the newest of these."""
    needed = [min((int(a), int(b)) for a, b in found) for name in names if (found := MANYLINUX.findall(name))]
    return " with glibc {}.{} or later".format(*max(needed)) if needed else ""


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS over every file of the folder, as sha256sum --check reads it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
