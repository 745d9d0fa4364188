"""The echo of the terminal: off while lines are drawn on it, since what is typed would move the cursor."""

from __future__ import annotations

import os
import stat
import sys
import termios
from contextlib import suppress

from harbor_agent.cli.terminal.streams import is_in_background

_LOCAL_MODES = 3


class Echo:
    """Whether the terminal of standard error shows what is typed; only this process changes it back."""

    def __init__(self) -> None:
        """Begin without a change."""
        self._is_off = False

    def turn_off(self) -> None:
        """Turn echo off, if this process is in the foreground of its terminal and shares it with no pager."""
        if self._is_off or not _may_change():
            return
        with suppress(termios.error):
            modes = termios.tcgetattr(sys.stderr)
            if modes[_LOCAL_MODES] & termios.ECHO:
                modes[_LOCAL_MODES] &= ~termios.ECHO
                termios.tcsetattr(sys.stderr, termios.TCSADRAIN, modes)
                self._is_off = True

    def restore(self, *, is_input_kept: bool = True) -> None:
        """Turn echo on again if it was turned off here. Unless it is kept, what was typed meanwhile is discarded."""
        if not self._is_off:
            return
        self._is_off = False
        if is_in_background(sys.stderr):
            return
        with suppress(termios.error):
            modes = termios.tcgetattr(sys.stderr)
            modes[_LOCAL_MODES] |= termios.ECHO
            termios.tcsetattr(sys.stderr, termios.TCSADRAIN if is_input_kept else termios.TCSAFLUSH, modes)


def _may_change() -> bool:
    """Whether the modes of the terminal are this process's to change.

    In the background it would be stopped by SIGTTOU (termios(3)). What reads standard output through a pipe may be a
    pager, which saves and restores the modes itself.
    """
    try:
        is_piped = stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):
        is_piped = True
    return not is_piped and not is_in_background(sys.stderr)
