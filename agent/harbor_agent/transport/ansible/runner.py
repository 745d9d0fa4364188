"""The process in which ansible-runner runs a playbook, with all its descendants."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from harbor_agent.errors import Problem
from harbor_agent.transport.ansible.problems import shorten
from harbor_agent.transport.ansible.timeout import find_children
from harbor_agent.transport.shell.exchange import add_node_name

if TYPE_CHECKING:
    from harbor_agent.transport.protocol import Job

# ansible-runner writes a copy of the environment to a file, so it gets only the variables that Ansible uses.
_ENVIRONMENT = frozenset(
    {"HOME", "LANG", "LOGNAME", "PYTHONPATH", "SSH_AUTH_SOCK", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"}
)
_PREFIXES = ("ANSIBLE_", "LC_")
_SECONDS_TO_TERMINATE = 3.0


class PlaybookProcess:
    """A running ansible-playbook, and its output."""

    def __init__(self, arguments: dict[str, Any], folder: Path) -> None:
        """Start it with the arguments of ansible_runner.run; its output is written to a file in `folder`."""
        self._output = (folder / "output").open("w+b")
        self._process = subprocess.Popen(
            # -P: a package in the current directory must not be imported.
            [sys.executable, "-P", "-m", "harbor_agent.transport.ansible.runner_process"],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=_build_environment(),
            start_new_session=True,
        )
        with contextlib.suppress(BrokenPipeError):
            stdin = cast("IO[bytes]", self._process.stdin)
            stdin.write(json.dumps(arguments).encode())
            stdin.close()

    @property
    def is_running(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Wait for the end."""
        self._process.wait()

    def explain_unfetched(self, job: Job) -> Problem:
        """Return the problem of a job that no task has fetched."""
        self._output.seek(0)
        about_host, general = "", ""
        for line in self._output.read().decode(errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                general = line or general
                continue
            if event.get("host") == job.node.name:
                about_host = event["message"]
            general = event.get("output") or general
        message = f"Ansible did not run the program: {shorten(about_host or general) or 'no reason given'}"
        hint = f"try: ansible {job.node.name} -i INVENTORY -m ansible.builtin.raw -a true -vvv"
        return add_node_name(job.node, Problem(code="ansible-failed", message=message, hint=hint))

    def terminate(self) -> None:
        """Terminate the process and its descendants."""
        _terminate(self._process.pid)
        self._process.wait()
        self._output.close()


def _build_environment() -> dict[str, str]:
    """Return the variables that Ansible uses, with its own programs first in PATH."""
    kept = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT or name.startswith(_PREFIXES)}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def _terminate(process: int) -> None:
    """Terminate a process and its descendants: SIGTERM, then SIGKILL for those that remain after a few seconds."""
    family = _find_family(process)
    for member in reversed(family):
        _send_signal(member, signal.SIGTERM)
    end = time.monotonic() + _SECONDS_TO_TERMINATE
    while (left := [member for member in family if _is_alive(member)]) and time.monotonic() < end:
        time.sleep(0.02)
    for member in left:
        _send_signal(member, signal.SIGKILL)


def _find_family(process: int) -> list[int]:
    family = [process]
    for member in family:
        family += find_children(member)
    return family


def _send_signal(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False
