"""A machine without Python: a Debian's root, read-only, in which commands run with a home of their own."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.lab.base import cache_folder, locked
from tests.lab.mirror import debian_mirror

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

# Of what a controller has: `ssh` for --transport ansible, and the CAs of the system.
_PACKAGES = "openssh-client,ca-certificates"
PLACE = "/opt/harbor-agent"
_ENTER = """\
set -eu
root=$1 home=$2 folder=$3; shift 3
mount --bind "$root" /mnt
mount -o remount,bind,ro /mnt
mount -t proc proc /mnt/proc
mount --rbind /dev /mnt/dev
mount -t tmpfs tmpfs /mnt/tmp
mount --bind "$home" /mnt/root
mount -t tmpfs tmpfs /mnt/opt
mkdir /mnt/opt/harbor-agent
mount --bind "$folder" /mnt/opt/harbor-agent
mount -o remount,bind,ro /mnt/opt/harbor-agent
path=/root/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec chroot /mnt /usr/bin/env -i HOME=/root PATH=$path /bin/sh -c 'cd; exec "$@"' sh "$@"
"""


def root_without_python(suite: str) -> Path:
    """Return a root of Debian's `suite` with OpenSSH's client, building it where it is not cached (half a minute)."""
    digest = hashlib.sha256(_PACKAGES.encode()).hexdigest()[:12]
    root = cache_folder() / f"controller-{suite}-{digest}"
    with locked(cache_folder() / "controller.lock") as lock:
        if not root.is_dir():
            unfinished = root.with_name(f"unfinished-{root.name}")
            shutil.rmtree(unfinished, ignore_errors=True)
            command = ["mmdebstrap", "--quiet", "--variant=essential", f"--include={_PACKAGES}", suite, str(unfinished)]
            subprocess.run([*command, debian_mirror()], check=True, pass_fds=(lock,), stdin=subprocess.DEVNULL)
            unfinished.rename(root)
    return root


@dataclass(frozen=True, kw_only=True)
class Controller:
    """A machine with `folder` at PLACE, read-only like all of it but `home` and /tmp."""

    root: Path
    home: Path
    folder: Path

    def run(self, *command: str) -> CompletedProcess[str]:
        """Run a command as root, in the home."""
        places = (str(self.root), str(self.home), str(self.folder))
        enter = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", _ENTER, "sh", *places]
        return subprocess.run([*enter, *command], capture_output=True, text=True, check=False, timeout=120)

    def link(self, program: str) -> None:
        """Put a program of the folder into the path, by a link."""
        (self.home / "bin").mkdir(exist_ok=True)
        (self.home / "bin" / program).symlink_to(f"{PLACE}/bin/{program}")
