"""ansible-runner, as in AWX, switches the check of host keys off; the playbook checks them all the same."""

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


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name, because the path of OpenSSH's socket in it may have 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="h") as name:
        yield Path(name)


def probe_with_runner(server: Server, folder: Path, known_hosts: Path, **variables: object) -> str:
    """Run the probe of the playbook on the server with ansible-runner's command, and return its output."""
    arguments = f"-F none -o UserKnownHostsFile={known_hosts} -o GlobalKnownHostsFile=/dev/null -o ControlMaster=no"
    host = {
        "ansible_host": server.address,
        "ansible_port": server.port,
        "ansible_user": "nopasswd",
        "harbor_registries": ["192.168.0.99"],
        "ansible_ssh_private_key_file": str(server.key),
        "ansible_ssh_common_args": arguments,
        **variables,
    }
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"node1": host}}}))
    (folder / "home").mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ansible_runner", "run", str(folder / "private")),
            *("-p", str(resources.find_playbook("site.yml")), "--inventory", str(inventory)),
            *("--cmdline", "--tags probe"),
        ],
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "variables", [{}, {"ansible_host_key_checking": False, "ansible_ssh_host_key_checking": False}]
)
def test_a_forged_host_key_is_refused(server: Server, folder: Path, variables: dict[str, object]) -> None:
    make_key(folder / "forged")
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"{server.known_as} {(folder / 'forged.pub').read_text()}")

    output = probe_with_runner(server, folder, known_hosts, **variables)

    assert "Host key verification failed" in output
    assert "unreachable=1" in output


def test_with_the_right_host_key_the_program_runs(server: Server, folder: Path) -> None:
    output = probe_with_runner(server, folder, server.known_hosts)

    # The sudo of this server only claims to be root.
    assert "the program ran without root privileges" in output
