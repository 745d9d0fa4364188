"""Keys of a real ssh-agent that require confirmation, like a security key that waits for a touch."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.transport.running import agent_with, completed, lost
from tests.transport.sshd import certify, make_key, public_folder, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transport.sshd import Server

pytestmark = pytest.mark.needs("sshd", "root")

CONSENT = "exit 0"
DENIAL = "exit 1"


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """Return a key that no server knows."""
    make_key(tmp_path / "stranger")
    return tmp_path / "stranger"


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_each_type_of_key_signs_after_confirmation(server: Server, tmp_path: Path, kind: str) -> None:
    make_key(tmp_path / "key", kind=kind)
    server.authorize(tmp_path / "key")
    with agent_with(tmp_path, tmp_path / "key", confirm=CONSENT) as address:
        completed(server.node(private_key_file=None, ssh_common_args=f"-o IdentityAgent={address}"), server.known_hosts)


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_certificate_of_the_agent_signs(tmp_path: Path, kind: str) -> None:
    make_key(tmp_path / "authority")
    make_key(tmp_path / "key", kind=kind)
    certify(tmp_path / "key", authority=tmp_path / "authority")
    with public_folder() as home, agent_with(tmp_path, tmp_path / "key", confirm=CONSENT) as address:
        shutil.copy(tmp_path / "authority.pub", home / "authority.pub")
        with serving(home, extra=f"TrustedUserCAKeys {home}/authority.pub") as trusting:
            node = trusting.node(private_key_file=None, ssh_common_args=f"-o IdentityAgent={address}")
            completed(node, trusting.known_hosts)


def test_confirmation_may_take_longer_than_the_connect_timeout(server: Server, tmp_path: Path) -> None:
    with agent_with(tmp_path, server.key, confirm="sleep 2") as address:
        arguments = f"-o IdentityAgent={address} -o ConnectTimeout=1"
        completed(server.node(private_key_file=None, ssh_common_args=arguments), server.known_hosts)


def test_a_key_that_the_server_rejects_needs_no_confirmation(server: Server, tmp_path: Path, stranger: Path) -> None:
    asked = tmp_path / "asked"
    with agent_with(tmp_path, stranger, server.key, confirm=f"touch {asked}") as address:
        completed(server.node(private_key_file=None, ssh_common_args=f"-o IdentityAgent={address}"), server.known_hosts)
    assert not asked.exists()


def test_after_a_denial_the_other_keys_are_tried(server: Server, tmp_path: Path) -> None:
    make_key(tmp_path / "denied")
    server.authorize(tmp_path / "denied")
    with agent_with(tmp_path, tmp_path / "denied", server.key, confirm=DENIAL) as address:
        completed(server.node(private_key_file=None, ssh_common_args=f"-o IdentityAgent={address}"), server.known_hosts)


def test_a_denial_is_reported_as_such(server: Server, tmp_path: Path) -> None:
    with agent_with(tmp_path, server.key, confirm=DENIAL) as address:
        node = server.node(private_key_file=None, ssh_common_args=f"-o IdentityAgent={address}")
        problem = lost(node, server.known_hosts).problem
    assert problem.code == "ssh-auth-failed"
    assert "agent key 1 (the agent refused to sign)" in problem.message


def test_a_server_that_does_not_wait_for_the_confirmation_is_reported(tmp_path: Path) -> None:
    with (
        public_folder() as home,
        serving(home, extra="LoginGraceTime 1") as impatient,
        agent_with(tmp_path, impatient.key, confirm="sleep 3") as address,
    ):
        node = impatient.node(private_key_file=None, ssh_common_args=f"-o IdentityAgent={address}")
        problem = lost(node, impatient.known_hosts).problem
    assert problem.code == "ssh-closed"
    assert "LoginGraceTime" in problem.hint
