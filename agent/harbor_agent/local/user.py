"""Whose process this is, on machines where accounts have names and in containers where they have none."""

from __future__ import annotations

import getpass
import os


def user_name() -> str:
    """Return the name of this process's user, or the number where the system has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # KeyError until Python 3.12
        return str(os.getuid())
