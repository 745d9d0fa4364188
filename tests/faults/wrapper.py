"""A dockerd that fails on request, in place of the real one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node import LabNode

# In dockerd's place, and not to be told from it where it lets it run. No check beforehand sees it.
_WRAPPER = """\
#!/bin/bash
[ "$(id -u)" != 0 ] || case "$*" in
  *--help* | *--validate*) ;;
  *'{pattern}'*) echo fired >>/var/fault.fired; {fault} ;;
esac
exec -a /usr/sbin/dockerd /usr/sbin/dockerd.real "$@"
"""


@contextmanager
def wrapped(node: LabNode, pattern: str, fault: str) -> Iterator[None]:
    """Let dockerd do `fault` wherever it is started with `pattern` in its arguments; it did so when this returns."""
    program = node.root / "usr/sbin/dockerd"
    program.rename(program.with_name("dockerd.real"))
    program.write_text(_WRAPPER.format(pattern=pattern, fault=fault))
    program.chmod(0o755)
    try:
        yield
        assert (node.root / "var/fault.fired").exists()
    finally:
        program.with_name("dockerd.real").rename(program)
        (node.root / "var/fault.fired").unlink(missing_ok=True)
