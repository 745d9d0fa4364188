"""How a program is started where becoming root takes a terminal (requiretty in sudoers).

A terminal merges the streams, changes what goes through it and has no end of file. So it is told to leave bytes alone
before anything is sent; the program is counted off by its length; and both streams come back in base64: standard
output as it comes, standard error and the exit status behind it.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from harbor_agent.transport.shell.exchange import Exchange

if TYPE_CHECKING:
    from harbor_agent.model.inventory import Become
    from harbor_agent.model.program import Program

# The first shell only reads the second one's text, which may hold any character that way.
_RUN = 'stty raw -echo; run="echo {nonce}-shell; exec 7<&0; head -c {length} | /bin/sh -s"; '
# Descriptors: 3 the terminal, 7 its input; 4 the program's standard error, on its way to base64; 5 and 6 its exit
# status, on the way round it. The program gets none of them: what it leaves running would hold up the end.
_SHELL = """exec 3>&1
echo {nonce}-begin
rest=$({{ {{ {{ head -c {length} <&7 | /bin/sh -s 3>&- 4>&- 5>&- 6>&- 7<&-; echo {nonce}-status $? >&5; }} 2>&4 |
base64 >&3; }} 4>&1 5>&6 | base64; }} 6>&1)
echo {nonce}-rest
printf '%s\\n' "$rest" {nonce}-end
"""


class TerminalExchange(Exchange):
    """An exchange over a pseudo-terminal: everything is heard as standard output."""

    def __init__(self, program: Program, become: Become | None, *, user: str) -> None:
        """Prepare the start as for any other exchange."""
        super().__init__(program, become, user=user)
        self._payload_due, self.pending = False, memoryview(b"")
        self._shell_sent = False

    def _run_assignment(self) -> str:
        return _RUN.format(nonce=self._nonce, length=len(self._shell()))

    def _shell(self) -> bytes:
        return _SHELL.format(nonce=self._nonce, length=len(self._payload)).encode()

    @property
    def input_done(self) -> bool:
        """Say no: the other end counts."""
        return False

    def feed_stdout(self, data: bytes) -> None:
        """Take what came from the terminal, and send what is waited for there: a password, the shell, the program."""
        super().hear_stderr(data)
        if not self._shell_sent and f"{self._nonce}-shell\n".encode() in self._stderr:
            self._shell_sent, self.pending = True, memoryview(self._shell())

    def status(self, rc: int) -> int:
        """Return the exit status that stands behind the streams; -1 where the end of them is missing."""
        if not self.begun:
            return rc
        found = re.search(rf"{self._nonce}-status (\d+)\n".encode(), self._behind())
        return int(found[1]) if found else -1

    def streams(self) -> tuple[bytes, bytes]:
        """Return both streams, taken apart again."""
        stdout, _, _ = self._stderr.partition(self._mark)[2].partition(f"{self._nonce}-rest\n".encode())
        stderr = re.sub(rf"{self._nonce}-status \d+\n".encode(), b"", self._behind())
        return _decoded(bytes(stdout)), _decoded(stderr)

    def _behind(self) -> bytes:
        """Return standard error in base64 with the exit status somewhere in it, nothing before all of it is there."""
        _, _, behind = self._stderr.partition(f"{self._nonce}-rest\n".encode())
        whole, end, _ = behind.partition(f"{self._nonce}-end\n".encode())
        return bytes(whole) if end else b""


def _decoded(stream: bytes) -> bytes:
    try:
        return base64.b64decode(stream)
    except binascii.Error:
        return b""
