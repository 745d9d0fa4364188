"""Docker's credential helpers: programs `docker-credential-NAME` that keep logins (docker/docker-credential-helpers).

The server's address goes to standard input, so that nothing is in the argument list; the login comes back as JSON.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


class HelperError(Exception):
    """A helper that is missing, failed or took too long; the message says which."""


def is_installed(name: str) -> bool:
    """Whether a helper of this name is in PATH."""
    return bool(_NAME.match(name)) and shutil.which(f"docker-credential-{name}") is not None


def request_login(name: str, server: str, timeout: float) -> bytes | None:
    """Return the JSON that a helper prints for a server, None if it has no login for it.

    Raises HelperError; a helper that exceeds `timeout` seconds is killed with its children.
    """
    program = shutil.which(f"docker-credential-{name}") if _NAME.match(name) else None
    if not program:
        raise HelperError("is not in PATH")
    try:
        process = subprocess.Popen(  # noqa: S603 - the program that the user's Docker configuration names
            [program, "get"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise HelperError(f"cannot be started: {error.strerror}") from None
    with process:
        try:
            output, errors = process.communicate(server.encode(), timeout)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise HelperError(f"did not answer within {timeout:.2g} s") from None
    if process.returncode == 0:
        return output
    # helpers print their errors on standard output (credentials.HandleCommand)
    message = (output.strip() or errors.strip()).decode(errors="replace")
    if "credentials not found" in message:
        return None
    raise HelperError(f"failed: {message or f'exit code {process.returncode}'}")
