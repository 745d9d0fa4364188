"""The user that this process runs as."""

from __future__ import annotations

import getpass
import os
import socket


def get_user_name() -> str:
    """Return the user's name, or the number if the system has no name for it, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # KeyError until Python 3.12
        return str(os.getuid())


def describe_user() -> str:
    """Return user@host, with the user behind sudo, such as "ops as root@controller"."""
    user = get_user_name()
    behind = os.environ.get("SUDO_USER")
    name = f"{behind} as {user}" if behind and behind != user else user
    return f"{name}@{socket.gethostname()}"
