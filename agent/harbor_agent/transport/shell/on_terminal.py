"""The start of a program if becoming root requires a terminal (requiretty in sudoers).

A terminal merges the streams, changes bytes and has no end of file. So it is set to raw mode before anything is sent;
the program is read by its length; and both streams come back in base64: standard output as it arrives, standard error
and the exit status behind it.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from harbor_agent.transport.shell.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.model.inventory import Become
    from harbor_agent.model.program import Program

# The first shell only reads the text of the second one, which may therefore contain any character.
_RUN = 'stty raw -echo; run="echo {nonce}-shell; exec 7<&0; head -c {length} | /bin/sh -s"; '
# Descriptors: 3 the terminal, 7 its input; 4 the program's standard error, before base64; 5 and 6 its exit status,
# which bypasses base64. The program gets none of them: a process that it leaves running would delay the end.
_SHELL = """exec 3>&1
echo {nonce}-begin
rest=$({{ {{ {{ head -c {length} <&7 | /bin/sh -s 3>&- 4>&- 5>&- 6>&- 7<&-; echo {nonce}-status $? >&5; }} 2>&4 |
base64 >&3; }} 4>&1 5>&6 | base64; }} 6>&1)
echo {nonce}-rest
printf '%s\\n' "$rest" {nonce}-end
"""


class TerminalExchange(Exchange):
    """An exchange over a pseudo-terminal: all output arrives on standard output."""

    def __init__(
        self, program: Program, become: Become | None, *, user: str, on_line: Callable[[bytes], None] | None = None
    ) -> None:
        """Prepare the start as for any other exchange. No line is passed on: base64 holds them back to the end."""
        super().__init__(program, become, user=user, on_line=on_line)
        self._payload_due, self.pending = False, memoryview(b"")
        self._shell_sent = False

    def _build_run_assignment(self) -> str:
        return _RUN.format(nonce=self._nonce, length=len(self._build_shell()))

    def _build_shell(self) -> bytes:
        return _SHELL.format(nonce=self._nonce, length=len(self._payload)).encode()

    @property
    def is_input_complete(self) -> bool:
        """Always false: the other end knows the length of the program."""
        return False

    def feed_stdout(self, data: bytes) -> None:
        """Process data from the terminal, and send what is awaited there: a password, the shell, the program."""
        super().feed_stderr(data)
        if not self._shell_sent and f"{self._nonce}-shell\n".encode() in self._stderr:
            self._shell_sent, self.pending = True, memoryview(self._build_shell())

    def extract_status(self, rc: int) -> int:
        """Return the exit status behind the streams; -1 if the output is incomplete."""
        if not self.marker_seen:
            return rc
        found = re.search(rf"{self._nonce}-status (\d+)\n".encode(), self._extract_rest())
        return int(found[1]) if found else -1

    def extract_output(self) -> tuple[bytes, bytes]:
        """Return standard output and standard error of the program, decoded."""
        stdout, _, _ = self._stderr.partition(self._mark)[2].partition(f"{self._nonce}-rest\n".encode())
        stderr = re.sub(rf"{self._nonce}-status \d+\n".encode(), b"", self._extract_rest())
        return _decode(bytes(stdout)), _decode(stderr)

    def _extract_rest(self) -> bytes:
        """Return standard error in base64 with the exit status somewhere in it, or nothing while it is incomplete."""
        _, _, rest = self._stderr.partition(f"{self._nonce}-rest\n".encode())
        whole, end, _ = rest.partition(f"{self._nonce}-end\n".encode())
        return bytes(whole) if end else b""


def _decode(stream: bytes) -> bytes:
    try:
        return base64.b64decode(stream)
    except binascii.Error:
        return b""
