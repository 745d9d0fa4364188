"""Whether DNS itself knows a name, /etc/hosts left out: what a pod would see, as far as it shows from here."""

from __future__ import annotations

import subprocess

_NOT_FOUND = 2


def name_in_dns(host: str, *, timeout: float = 5.0) -> bool | None:
    """Ask DNS for an address of `host`; None where that cannot be told (no glibc, no answer in `timeout` seconds).

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
