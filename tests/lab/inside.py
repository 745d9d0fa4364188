"""A thread of the tests in the network of a lab, for what is tested without a process of its own."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLONE_NEWNET = 0x40000000


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Let this thread, and those that it starts, have the network of `namespace` while the block runs."""
    with Path("/proc/thread-self/ns/net").open("rb") as before:
        with Path("/run/netns", namespace).open("rb") as there:
            _enter(there.fileno(), namespace)
        try:
            yield
        finally:
            _enter(before.fileno(), "the network before")


def _enter(descriptor: int, name: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns() is there from Python 3.12 on
    if libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)
