"""Inventories for Ansible whose hosts are the test's own sshd."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transport.sshd import Server

HOSTS = tuple(f"node{number}" for number in range(1, 10))


def write_inventory(folder: Path, server: Server, **variables: object) -> Path:
    """Write an inventory in which every host is `server`; `variables` come on top of what it takes to log in."""
    everything: dict[str, object] = {
        "ansible_host": "127.0.0.1",
        "ansible_port": server.port,
        "ansible_user": "nopasswd",
        "ansible_ssh_private_key_file": server.home / "client_ed25519",
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={server.known_hosts}",
        **variables,
    }
    lines = [*HOSTS, "[all:vars]", *(f"{name}={value}" for name, value in everything.items())]
    path = folder / "inventory.ini"
    path.write_text("\n".join(lines) + "\n")
    return path
