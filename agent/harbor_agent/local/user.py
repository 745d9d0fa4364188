"""The user that this process runs as."""

from __future__ import annotations

import getpass
import os


def get_user_name() -> str:
    """Return the user's name, or the number if the system has no name for it, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # KeyError until Python 3.12
        return str(os.getuid())
