"""ProxyCommand of ssh_config(5): a process whose standard streams are the connection."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress

_SECONDS_TO_END = 1.0
_LONGEST_QUOTE = 200


class ProxyProcess:
    """A running ProxyCommand; `socket` is the connection. It has no terminal, so it cannot prompt."""

    def __init__(self, command: str) -> None:
        """Start `command` with the user's shell, as ssh does. Raises OSError."""
        self.socket, far = socket.socketpair()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        try:
            with far:
                self._process = subprocess.Popen(  # noqa: S603 - the user's own ssh configuration
                    [os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}"],
                    stdin=far.fileno(),
                    stdout=far.fileno(),
                    stderr=self._stderr,
                    start_new_session=True,
                )
        except OSError:
            self.socket.close()
            self._stderr.close()
            raise

    def close(self) -> None:
        """Close the connection, and terminate the process if it does not end then."""
        self.socket.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_SECONDS_TO_END)
        self._stderr.close()

    def describe_end(self) -> str:
        """Return the last line of standard error, and the exit status if the process has ended."""
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").split("\n")
        parts = [" ".join(line.split())[:_LONGEST_QUOTE] for line in lines if line.strip()][-1:]
        with suppress(subprocess.TimeoutExpired):
            parts.insert(0, f"exit status {self._process.wait(_SECONDS_TO_END)}")
        return ": ".join(parts) or "no output"
