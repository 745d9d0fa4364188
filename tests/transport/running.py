"""One program on one node over SSH, and what became of it."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harbor_agent.model.program import Program
from harbor_agent.transport.protocol import Completed, Job, Lost
from harbor_agent.transport.ssh.transport import SshTransport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harbor_agent.model.inventory import Node

WHO = Program(stdin=b'echo "$USER ${AS_ROOT-}"')


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
