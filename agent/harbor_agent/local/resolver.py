"""Whether DNS knows a name, /etc/hosts ignored: the best guess from this machine of what a pod sees."""

from __future__ import annotations

import subprocess

_NOT_FOUND = 2


def is_in_dns(host: str, *, timeout: float = 5.0) -> bool | None:
    """Whether DNS has an address of `host`; None if unknown (no glibc, no answer within `timeout` seconds).

    getent(1) with `-s hosts:dns` skips /etc/hosts, mDNS and caches, which the standard library cannot.
    """
    try:
        done = subprocess.run(  # noqa: S603
            ["getent", "-s", "hosts:dns", "ahosts", "--", host],  # noqa: S607
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return True if done.returncode == 0 else False if done.returncode == _NOT_FOUND else None
