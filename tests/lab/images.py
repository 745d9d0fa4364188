"""Container images that run, made without any registry."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def busybox_root(base: Path) -> bytes:
    """Return a root file system as a tar archive: /bin/busybox of `base`, what it loads, /bin/sh and /tmp."""
    listed = subprocess.run(["chroot", str(base), "ldd", "/bin/busybox"], check=True, capture_output=True, text=True)
    libraries = re.findall(r"(/\S+) \(0x", listed.stdout)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in ("/bin/busybox", *libraries):
            tar.add((base / path.lstrip("/")).resolve(), arcname=path.lstrip("/"))
        shell = tarfile.TarInfo("bin/sh")
        shell.type, shell.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(shell)
        temporary = tarfile.TarInfo("tmp")
        temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(temporary)
    return archive.getvalue()


def program_root(program: Path) -> bytes:
    """Return a root file system as a tar archive: one static program, at the top."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(program, arcname=program.name)
    return archive.getvalue()


def image_archive(root: bytes, names: Sequence[str], command: Sequence[str]) -> bytes:
    """Return an image as `docker save` writes it, from its root file system."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": list(command)},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(root).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": list(names), "Layers": ["layer.tar"]}]
    files: Mapping[str, bytes] = {
        "config.json": json.dumps(config).encode(),
        "layer.tar": root,
        "manifest.json": json.dumps(manifest).encode(),
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()
