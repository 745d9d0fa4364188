"""A program with its own terminal, and typed answers to its prompts."""

from __future__ import annotations

import os
import pty
import re
import select
import termios
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Session:
    """What was shown on the terminal, whether it shows what is typed again, and how the program ended."""

    code: int
    shown: str
    echoes: bool


def at_terminal(
    argv: Sequence[str],
    answers: Sequence[tuple[str, str]],
    *,
    env: Mapping[str, str] | None = None,
    seconds: float = 90,
) -> Session:
    """Run `argv` and type each answer as its question (a regular expression) appears, in this order."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], list(argv), {**os.environ, **(env or {})})
    shown, seen, left = "", 0, list(answers)
    end = time.monotonic() + seconds
    try:
        while True:
            assert time.monotonic() < end, f"no end within {seconds:g} s: {shown}"
            if not select.select([terminal], [], [], 0.5)[0]:
                continue
            try:
                data = os.read(terminal, 65536)
            except OSError:  # what Linux says once the other side is closed
                break
            shown += data.decode(errors="replace")
            question = re.compile(left[0][0]).search(shown, seen) if left else None
            if question:
                seen = question.end()
                os.write(terminal, f"{left.pop(0)[1]}\n".encode())
        echoes = bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
    finally:
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    assert not left, f"never asked: {left[0][0]}; shown: {shown}"
    return Session(code=os.waitstatus_to_exitcode(status), shown=shown, echoes=echoes)
