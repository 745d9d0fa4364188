"""The ssh arguments that lead through a bastion."""

from __future__ import annotations

import shlex
from pathlib import Path


def build_jump_arguments(address: str, *, port: str | None, user: str | None, key_file: str | None) -> str:
    """Return `-J …`, or a ProxyCommand if the bastion has a key of its own: ssh has no option for the key of a `-J`.

    The process of a ProxyCommand cannot prompt; ssh checks the bastion's host key against known_hosts.
    """
    if key_file is None:
        host = f"[{address}]" if ":" in address else address
        login = f"{user}@{host}" if user else host
        return shlex.join(("-J", f"{login}:{port}" if port else login))
    words = ["ssh", "-o", "BatchMode=yes", "-i", str(Path(key_file).expanduser()).replace("%", "%%")]
    words += ["-p", port] if port else []
    words += ["-l", user.replace("%", "%%")] if user else []
    command = " ".join(shlex.quote(word) for word in words)
    return shlex.join(("-o", f"ProxyCommand={command} -W '[%h]:%p' -- {shlex.quote(address)}"))
