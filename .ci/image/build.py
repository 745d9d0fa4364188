"""Build dist/…-image.tar: what `docker build` and its kin make the image of, a Containerfile and a root file system.

    build.py FOLDER      FOLDER is the build with its own Python, which `make standalone` prints

The root is Debian without Python, with OpenSSH's client, that folder, and the collection for Ansible.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SUITE = "trixie"
PACKAGES = "ca-certificates,libnss-extrausers,openssh-client"
# Documentation that is not a license, and the bytes of other languages.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_KEPT = ("/usr/share/doc/*/copyright",)
_USER, _HOME = 10001, "state"
_COLLECTIONS = "usr/share/ansible/collections/ansible_collections"


def main() -> None:
    """Build the archive again, and print where it is."""
    standalone = Path(sys.argv[1]).resolve()
    target = ROOT / "dist" / f"{standalone.name}-image.tar"
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="harbor-agent-image.") as name:
        ours, root = Path(name) / "ours.tar", Path(name) / "root.tar"
        write_ours(standalone, ours)
        build_root(ours, root)
        with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
            archive.add(HERE / "Containerfile", "Containerfile", filter=own_by_root)
            archive.add(root, "root.tar", filter=own_by_root)
    sys.stdout.write(f"{target}\n")


def write_ours(standalone: Path, file: Path) -> None:
    """Write what is not Debian's: programs, collection, the home, and the file of users without a name."""
    (data,) = standalone.glob("lib/python*/site-packages/harbor_agent/data")
    with tarfile.open(file, "w") as archive:
        archive.add(standalone, "opt/harbor-agent", filter=own_by_root)
        archive.add(data / "playbooks/collections/ansible_collections", _COLLECTIONS, filter=own_by_root)
        archive.add(HERE / "entrypoint", "usr/local/bin/entrypoint", filter=own_by_root)
        for folder in (_HOME, "runner"):  # ansible-runner mounts its files at /runner
            entry = build_entry(folder, tarfile.DIRTYPE)
            # OpenShift starts the image with any uid, and the group root.
            entry.mode, entry.uid = 0o775, _USER
            archive.addfile(entry)
        users = build_entry("var/lib/extrausers/passwd", tarfile.SYMTYPE)
        users.linkname = "/tmp/passwd"  # noqa: S108 - written by the entry point, in a container of one user
        archive.addfile(users)


def build_root(ours: Path, file: Path) -> None:
    """Write the root file system: Debian's packages, ours, and our user."""
    passwd = f"harbor-agent:x:{_USER}:0::/{_HOME}:/bin/sh"
    hooks = (
        f"tar-in {ours} /",
        f'echo "{passwd}" >>"$1/etc/passwd"',
        'sed -i "s/^passwd:.*/passwd: files extrausers/" "$1/etc/nsswitch.conf"',
        'rm -rf "$1"/var/log/* "$1"/var/cache/*',
    )
    paths = [f"path-exclude={path}" for path in _LEFT_OUT] + [f"path-include={path}" for path in _KEPT]
    command = ["mmdebstrap", "--quiet", "--variant=essential", f"--include={PACKAGES}"]
    command += [f"--dpkgopt={path}" for path in paths] + [f"--customize-hook={hook}" for hook in hooks]
    subprocess.run([*command, SUITE, str(file)], check=True, stdin=subprocess.DEVNULL)


def build_entry(name: str, kind: bytes) -> tarfile.TarInfo:
    """Return an entry of an archive that belongs to root."""
    entry = tarfile.TarInfo(name)
    entry.type = kind
    return entry


def own_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Remove the names and times of this machine."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry


if __name__ == "__main__":
    main()
