"""A container image that runs, made without any registry: a base's busybox and the libraries it is linked with."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
