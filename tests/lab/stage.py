"""The demo's stage: commands are shown, run before the reader's eyes, and held to what they should do."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PROGRAM = Path(sys.executable).with_name("harbor-agent")


class UnexpectedError(Exception):
    """Something on the stage did not go as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where commands run: `folder`, `environment`, and `wrap`, which leads a command into the right network."""

    folder: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    wrap: Callable[[Sequence[str]], list[str]] = list

    def agent(self, *arguments: str, expect: int = 0, stdin: str | None = None, hidden: str | None = None) -> None:
        """Run harbor-agent with everything it prints visible, except for what `hidden` (a pattern) matches.

        Raises UnexpectedError where the exit code is not `expect`.
        """
        before = "$ " if stdin is None else "$ … | "
        say(f"\n{before}harbor-agent {shlex.join(arguments)}")
        done = subprocess.run(
            self.wrap([str(_PROGRAM), *arguments]),
            check=False,
            cwd=self.folder,
            env={**self.environment, "COLUMNS": "110"},
            input=stdin or "",
            text=True,
            stdout=subprocess.PIPE if hidden else None,
            stderr=subprocess.STDOUT if hidden else None,
        )
        if hidden:
            say(re.sub(hidden, "********", done.stdout).rstrip())
        say(f"[exit code {done.returncode}]")
        if done.returncode != expect:
            raise UnexpectedError(f"harbor-agent {arguments[0]} ended with {done.returncode}, expected was {expect}")


def say(text: str) -> None:
    """Print at once, so that what a command prints itself comes after it."""
    print(text, flush=True)  # noqa: T201 - the demo is there to be read


def scene(title: str) -> None:
    """Begin a part of the demo."""
    say(f"\n== {title}")
