"""ansible-runner, as in AWX, switches the check of host keys off; the playbook, the role and the module check them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent import resources
from tests.transport.sshd import make_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transport.sshd import Server

pytestmark = [pytest.mark.needs("sshd", "root"), pytest.mark.timeout(120)]
OURS = "harbor_agent.nodes.harbor_agent"
ROLE = {"import_role": {"name": OURS, "tasks_from": "configure"}}
MODULE = {OURS: {"phase": "probe"}, "become": True, "tags": "probe"}
OPENED_BEFORE = {"ansible.builtin.raw": "true", "tags": "probe"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name, because the path of OpenSSH's socket in it may have 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="h") as name:
        yield Path(name)


def forge_known_hosts(server: Server, folder: Path) -> Path:
    """Write a known_hosts that has another key for the server."""
    make_key(folder / "forged")
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"{server.known_as} {(folder / 'forged.pub').read_text()}")
    return known_hosts


def probe_with_runner(
    server: Server,
    folder: Path,
    known_hosts: Path,
    *,
    tasks: list[dict[str, object]] | None = None,
    **variables: object,
) -> str:
    """Run the probe on the server with ansible-runner's command, and return its output.

    The playbook is site.yml, or a play with these tasks.
    """
    host = {
        "ansible_host": server.address,
        "ansible_port": server.port,
        "ansible_user": "nopasswd",
        "harbor_registries": "192.168.0.99",
        "ansible_ssh_private_key_file": str(server.key),
        "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=10s",
        "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={known_hosts} -o GlobalKnownHostsFile=/dev/null",
        **variables,
    }
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"node1": host}}}))
    playbook = resources.find_playbook("site.yml")
    if tasks:
        playbook = folder / "play.yml"
        playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    (folder / "home").mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ansible_runner", "run", str(folder / "private")),
            *("-p", str(playbook), "--inventory", str(inventory), "--cmdline", "--tags probe"),
        ],
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(resources.find_playbook("collections")),
        },
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "variables", [{}, {"ansible_host_key_checking": False, "ansible_ssh_host_key_checking": False}]
)
@pytest.mark.parametrize("tasks", [None, [ROLE], [MODULE]], ids=["playbook", "role", "module"])
def test_a_forged_host_key_is_refused(
    server: Server, folder: Path, tasks: list[dict[str, object]] | None, variables: dict[str, object]
) -> None:
    output = probe_with_runner(server, folder, forge_known_hosts(server, folder), tasks=tasks, **variables)

    assert "Host key verification failed" in output
    assert "unreachable=1" in output


def test_a_connection_that_another_task_opened_without_a_check_is_not_used(server: Server, folder: Path) -> None:
    known_hosts = forge_known_hosts(server, folder)

    output = probe_with_runner(server, folder, known_hosts, tasks=[OPENED_BEFORE, MODULE])

    assert "changed: [node1]" in output, "the first task got its connection"
    assert "Host key verification failed" in output
    assert "unreachable=1" in output


def test_with_the_right_host_key_the_program_runs(server: Server, folder: Path) -> None:
    output = probe_with_runner(server, folder, server.known_hosts)

    # The sudo of this server only claims to be root.
    assert "the program ran without root privileges" in output
