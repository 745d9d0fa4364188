"""A program that a transport carries to a node."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A self-contained program for a node: `/bin/sh -s -- ARGUMENTS` with `stdin` as its standard input.

    `arguments` hold nothing secret: they show in the process list. `privileged` asks for root; where the node
    has no way to it, an unprivileged program runs as the login user.
    """

    stdin: bytes = field(repr=False)
    arguments: tuple[str, ...] = ()
    privileged: bool = True
