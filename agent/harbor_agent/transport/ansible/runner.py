"""A playbook that runs under ansible-runner, in a process of its own, and everything it starts."""

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
from harbor_agent.transport.ansible.problems import words_of
from harbor_agent.transport.ansible.timeout import children
from harbor_agent.transport.shell.exchange import on_node

if TYPE_CHECKING:
    from harbor_agent.transport.protocol import Job

# ansible-runner keeps a copy of the environment, so what Ansible has no use for is not handed to it.
_ENVIRONMENT = frozenset(
    {"HOME", "LANG", "LOGNAME", "PYTHONPATH", "SSH_AUTH_SOCK", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"}
)
_PREFIXES = ("ANSIBLE_", "LC_")
_SECONDS_TO_TERMINATE = 3.0


class Playbook:
    """A running ansible-playbook, and what it said."""

    def __init__(self, arguments: dict[str, Any], folder: Path) -> None:
        """Start it with the arguments of ansible_runner.run; what it says goes into `folder`."""
        self._said = (folder / "said").open("w+b")
        self._process = subprocess.Popen(
            # -P: a folder `agent` in the current one is somebody else's.
            [sys.executable, "-P", "-m", "harbor_agent.transport.ansible.runner_process"],
            stdin=subprocess.PIPE,
            stdout=self._said,
            stderr=subprocess.STDOUT,
            env=_environment(),
            start_new_session=True,
        )
        with contextlib.suppress(BrokenPipeError):
            stdin = cast("IO[bytes]", self._process.stdin)
            stdin.write(json.dumps(arguments).encode())
            stdin.close()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Wait for the end."""
        self._process.wait()

    def reason(self, job: Job) -> Problem:
        """Return why a job was never fetched."""
        self._said.seek(0)
        about_host, general = "", ""
        for line in self._said.read().decode(errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                general = line or general
                continue
            if event.get("host") == job.node.name:
                about_host = event["message"]
            general = event.get("said") or general
        message = f"Ansible did not run the program: {words_of(about_host or general) or 'no reason is given'}"
        hint = f"try: ansible {job.node.name} -i INVENTORY -m ansible.builtin.raw -a true -vvv"
        return on_node(job.node, Problem(code="ansible-failed", message=message, hint=hint))

    def end(self) -> None:
        """End it, with everything that it has started."""
        _terminate(self._process.pid)
        self._process.wait()
        self._said.close()


def _environment() -> dict[str, str]:
    """Return what Ansible has a use for, with its own programs found first."""
    kept = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT or name.startswith(_PREFIXES)}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def _terminate(process: int) -> None:
    """End a process and its descendants: SIGTERM, and SIGKILL to what is left after seconds."""
    family = _family(process)
    for member in reversed(family):
        _signal(member, signal.SIGTERM)
    end = time.monotonic() + _SECONDS_TO_TERMINATE
    while (left := [member for member in family if _is_alive(member)]) and time.monotonic() < end:
        time.sleep(0.02)
    for member in left:
        _signal(member, signal.SIGKILL)


def _family(process: int) -> list[int]:
    family = [process]
    for member in family:
        family += children(member)
    return family


def _signal(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False
