"""Programs run over SSH, with and without a terminal, and agents for their logins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harbor_agent.model.program import Program
from harbor_agent.transport.protocol import Completed, Job, Lost
from harbor_agent.transport.ssh.transport import SshTransport
from tests.transport.at_terminal import at_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harbor_agent.model.inventory import Node
    from tests.transport.at_terminal import Session
    from tests.transport.sshd import Server

WHO = Program(stdin=b'echo "$USER ${AS_ROOT-}"')
# The transport alone, on several nodes: it prompts on the terminal of the process.
_SCRIPT = """
import json, sys
from pathlib import Path
from harbor_agent.model.inventory import Node
from harbor_agent.model.program import Program
from harbor_agent.transport.protocol import Job
from harbor_agent.transport.ssh.transport import SshTransport

known_hosts, *nodes = json.loads(sys.argv[1])
transport = SshTransport(forks=3, known_hosts=[Path(known_hosts)])
jobs = [Job(node=Node(**node), program=Program(stdin=b'echo "$USER"'), timeout=20) for node in nodes]
for result in transport.run(jobs):
    print(f"{result.job.node.name}: {getattr(result, 'stdout', None) or result.problem}")
transport.close()
"""


def run(
    node: Node, *known_hosts: Path, program: Program = WHO, timeout: float = 20, connect_timeout: float = 2
) -> Completed | Lost:
    transport = SshTransport(forks=1, connect_timeout=connect_timeout, known_hosts=known_hosts)
    (result,) = transport.run([Job(node=node, program=program, timeout=timeout)])
    transport.close()
    return result


def lost(node: Node, *known_hosts: Path, timeout: float = 20) -> Lost:
    result = run(node, *known_hosts, timeout=timeout)
    assert isinstance(result, Lost), result
    assert node.name in result.problem.message
    return result


def completed(node: Node, *known_hosts: Path) -> Completed:
    result = run(node, *known_hosts)
    assert isinstance(result, Completed), result.problem
    return result


def run_at_terminal(server: Server, answers: list[tuple[str, str]], *, count: int = 1, **changes: object) -> Session:
    """Run a program on nodes node0 … in a process with a terminal, and type `answers` to its prompts."""
    node = {"address": server.address, "port": server.port, "user": "root", **changes}
    nodes = [{"name": f"node{number}", **node} for number in range(count)]
    return at_terminal([sys.executable, "-c", _SCRIPT, json.dumps([str(server.known_hosts), *nodes])], answers)


def wait_for(path: Path, *, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} does not appear"
        time.sleep(0.02)


@contextmanager
def agent_with(folder: Path, *keys: Path, confirm: str = "") -> Iterator[str]:
    """Run an ssh-agent that holds `keys`, and yield its address.

    With `confirm`, a shell command, each use of the first key waits for that to end, and for its consent.
    """
    address = folder / "agent"
    asking = folder / "confirm"
    asking.write_text(f"#!/bin/sh\n{confirm}\n")
    asking.chmod(0o755)
    environment = {**os.environ, "SSH_ASKPASS": str(asking), "SSH_ASKPASS_REQUIRE": "force"}
    agent = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(address)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        wait_for(address)
        environment["SSH_AUTH_SOCK"] = str(address)
        for number, key in enumerate(keys):
            confirmed = ["-c"] if confirm and not number else []
            subprocess.run(["ssh-add", "-q", *confirmed, str(key)], env=environment, check=True)
        yield str(address)
    finally:
        agent.terminate()
        agent.wait(10)
