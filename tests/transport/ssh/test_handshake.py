"""Host keys are checked like ssh checks them, and never added."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.transport.running import completed, lost
from tests.transport.sshd import make_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.transport.sshd import Server

    Write = Callable[..., Path]

pytestmark = pytest.mark.needs("sshd", "root")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_lines(*lines: str) -> Path:
        path = tmp_path / "known_hosts_of_the_test"
        path.write_text("".join(line + "\n" for line in lines))
        return path

    return write_lines


def test_an_unknown_key_is_refused_and_not_added(server: Server, write: Write) -> None:
    empty = write("# nothing")

    result = lost(server.node(), empty)

    assert (result.problem.code, result.started) == ("host-key-unknown", False)
    assert empty.read_text() == "# nothing\n"
    # The hint ends with the line to add, once the fingerprint was compared.
    completed(server.node(), write(result.problem.hint.rpartition(": ")[2]))


def test_a_changed_key_is_refused_with_its_line(server: Server, write: Write, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    files = write(f"[127.0.0.1]:{server.port} {other}")

    result = lost(server.node(), files)

    assert result.problem.code == "host-key-changed"
    assert f"{files}:1" in result.problem.message


def test_a_revoked_key_is_refused_even_if_it_is_known(server: Server, write: Write) -> None:
    key = server.host_key()
    files = write(f"[127.0.0.1]:{server.port} {key}", f"@revoked * {key}")

    assert lost(server.node(), files).problem.code == "host-key-revoked"


@pytest.mark.parametrize("form", ["a list of keys", "a binary list"])
def test_a_key_in_revoked_host_keys_is_refused(server: Server, write: Write, tmp_path: Path, form: str) -> None:
    known_hosts = write(f"[127.0.0.1]:{server.port} {server.host_key()}")
    revoked, other = tmp_path / "revoked", tmp_path / "other"
    for file, kind in ((revoked, "ed25519"), (other, "rsa")):
        file.write_text(server.host_key(kind) + "\n")
        if form == "a binary list":
            make_list = ["ssh-keygen", "-q", "-k", "-f", str(file), str(server.home / f"host_{kind}.pub")]
            subprocess.run(make_list, check=True)

    completed(server.node(ssh_common_args=f"-o RevokedHostKeys={other}"), known_hosts)
    result = lost(server.node(ssh_common_args=f"-o RevokedHostKeys={revoked}"), known_hosts)

    assert result.problem.code == "host-key-revoked"
    assert str(revoked) in result.problem.message


def test_arguments_that_discard_host_keys_are_named_in_the_hint(server: Server) -> None:
    result = lost(server.node(ssh_common_args="-o UserKnownHostsFile=/dev/null"), server.known_hosts)

    assert result.problem.code == "host-key-unknown"
    assert "remove UserKnownHostsFile" in result.problem.hint


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_the_known_type_is_negotiated(server: Server, write: Write, kind: str) -> None:
    completed(server.node(), write(f"[127.0.0.1]:{server.port} {server.host_key(kind)}"))


def test_certificate_authorities_are_ignored(server: Server, write: Write) -> None:
    key = server.host_key()
    completed(server.node(), write(f"@cert-authority * {key}", "no entry", f"[127.0.0.1]:{server.port} {key}"))

    assert lost(server.node(), write(f"@cert-authority * {key}")).problem.code == "host-key-unknown"


def test_a_file_in_the_ssh_arguments_replaces_the_default(server: Server, write: Write) -> None:
    arguments = f"-o StrictHostKeyChecking=no -o UserKnownHostsFile={server.known_hosts}"

    completed(server.node(ssh_common_args=arguments), write())
    assert lost(server.node(ssh_common_args="-o UserKnownHostsFile=/dev/null"), server.known_hosts)
