"""Logins with keys, certificates, agents and the password of the inventory."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.sensitive import Sensitive
from harbor_agent.transport.protocol import Completed, Lost
from tests.transport.running import agent_with, completed, lost, run, run_at_terminal
from tests.transport.sshd import LOGIN_PASSWORD, certify, make_key, public_folder, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transport.sshd import Server

pytestmark = pytest.mark.needs("sshd", "root")

PASSPHRASE = "correct horse battery staple"


class TestLogin:
    def test_a_password_is_enough(self, server: Server) -> None:
        node = server.node(user="nopasswd", private_key_file=None, password=Sensitive(LOGIN_PASSWORD))

        assert completed(node, server.known_hosts).stdout == b"nopasswd yes\n"

    def test_a_wrong_password_is_reported_and_not_shown(self, server: Server) -> None:
        node = server.node(private_key_file=None, password=Sensitive("not the password"))

        result = lost(node, server.known_hosts)

        assert (result.problem.code, result.started) == ("ssh-auth-failed", False)
        assert "not the password" not in repr(result)

    def test_a_wrong_key_is_reported(self, server: Server, tmp_path: Path) -> None:
        make_key(tmp_path / "stranger")

        result = lost(server.node(private_key_file=str(tmp_path / "stranger")), server.known_hosts)

        assert result.problem.code == "ssh-auth-failed"
        assert str(tmp_path / "stranger") in result.problem.message

    def test_the_users_default_key_is_used(self, server: Server, tmp_path: Path) -> None:
        (tmp_path / ".ssh").mkdir()
        (tmp_path / ".ssh/id_ed25519").write_bytes((server.home / "client_ed25519").read_bytes())

        completed(server.node(private_key_file=None), server.known_hosts)

    @pytest.mark.parametrize("kind", ["ed25519", "rsa"])
    def test_an_encrypted_key_without_a_terminal_is_an_error(self, server: Server, tmp_path: Path, kind: str) -> None:
        make_key(tmp_path / "locked", kind=kind, passphrase="secret")

        result = lost(server.node(private_key_file=str(tmp_path / "locked")), server.known_hosts)

        assert result.problem.code == "ssh-key-encrypted"
        assert "ssh-add" in result.problem.hint

    def test_the_key_of_an_agent_is_used(self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make_key(tmp_path / "locked", passphrase="secret")
        with agent_with(tmp_path, server.home / "client_ed25519") as address:
            monkeypatch.setenv("SSH_AUTH_SOCK", address)

            completed(server.node(private_key_file=None), server.known_hosts)
            completed(server.node(private_key_file=str(tmp_path / "locked")), server.known_hosts)

    def test_a_missing_agent_has_no_keys(self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "absent"))

        assert lost(server.node(private_key_file=None), server.known_hosts).problem.code == "ssh-auth-failed"

    def test_a_certificate_beside_the_key_is_used(self, tmp_path: Path) -> None:
        make_key(tmp_path / "authority")
        make_key(tmp_path / "key")
        certify(tmp_path / "key", authority=tmp_path / "authority")
        with public_folder() as home:
            shutil.copy(tmp_path / "authority.pub", home / "authority.pub")
            with serving(home, extra=f"TrustedUserCAKeys {home}/authority.pub") as trusting:
                completed(trusting.node(private_key_file=str(tmp_path / "key")), trusting.known_hosts)

    def test_a_missing_key_file_is_reported(self, server: Server, tmp_path: Path) -> None:
        result = lost(server.node(private_key_file=str(tmp_path / "absent")), server.known_hosts)

        assert result.problem.code == "ssh-key-unreadable"

    def test_a_login_without_any_key_or_password_is_an_error(self, server: Server) -> None:
        assert "no password" in lost(server.node(private_key_file=None), server.known_hosts).problem.message


class TestKeys:
    @pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
    @pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
    def test_every_format_of_every_type(self, server: Server, tmp_path: Path, kind: str, form: str) -> None:
        key = tmp_path / "key"
        make_key(key, kind=kind)
        convert = ["ssh-keygen", "-q", "-p", "-N", "", "-m", form, "-f", str(key)]
        subprocess.run(convert, check=True, stdout=subprocess.DEVNULL)

        result = run(server.node(private_key_file=server.authorize(key)), server.known_hosts)

        assert isinstance(result, Completed), result.problem

    @pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
    def test_an_encrypted_key_of_every_format(self, server: Server, tmp_path: Path, form: str) -> None:
        key = tmp_path / "key"
        make_key(key, kind="rsa")
        server.authorize(key)
        lock = ["ssh-keygen", "-q", "-p", "-N", PASSPHRASE, "-m", form, "-f", str(key)]
        subprocess.run(lock, check=True, stdout=subprocess.DEVNULL)

        done = run_at_terminal(server, [(f"passphrase for the key {key}: ", PASSPHRASE)], private_key_file=str(key))

        assert "node0: b'root" in done.shown

    def test_a_certificate_of_the_configuration_is_used_with_its_key(self, tmp_path: Path) -> None:
        for name in ("authority", "key", "other"):
            make_key(tmp_path / name)
        for name in ("other", "key"):
            certify(tmp_path / name, authority=tmp_path / "authority")
            (tmp_path / f"{name}-cert.pub").rename(tmp_path / f"{name}.certificate")
        certificates = " ".join(f"-o CertificateFile={tmp_path}/{name}.certificate" for name in ("other", "key"))
        with public_folder() as home:
            shutil.copy(tmp_path / "authority.pub", home / "authority.pub")
            with serving(home, extra=f"TrustedUserCAKeys {home}/authority.pub") as trusting:
                node = trusting.node(private_key_file=str(tmp_path / "key"), ssh_common_args=certificates)
                result = run(node, trusting.known_hosts)

        assert isinstance(result, Completed), result.problem

    def test_if_the_certificate_is_rejected_the_key_alone_is_tried(self, server: Server, tmp_path: Path) -> None:
        make_key(tmp_path / "authority")
        make_key(tmp_path / "key")
        certify(tmp_path / "key", authority=tmp_path / "authority")

        result = run(server.node(private_key_file=server.authorize(tmp_path / "key")), server.known_hosts)

        assert isinstance(result, Completed), result.problem

    @pytest.mark.parametrize("with_public_file", [True, False])
    def test_no_passphrase_is_needed_if_the_agent_has_the_key(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, with_public_file: bool
    ) -> None:
        make_key(tmp_path / "open")
        shutil.copy(tmp_path / "open", tmp_path / "copy")
        server.authorize(tmp_path / "open")
        lock = ["ssh-keygen", "-q", "-p", "-N", PASSPHRASE, "-f", str(tmp_path / "open")]
        subprocess.run(lock, check=True, stdout=subprocess.DEVNULL)
        if not with_public_file:
            (tmp_path / "open.pub").unlink()
        with agent_with(tmp_path, tmp_path / "copy") as address:
            monkeypatch.setenv("SSH_AUTH_SOCK", address)

            done = run_at_terminal(server, [], private_key_file=str(tmp_path / "open"))

        assert "node0: b'root" in done.shown
        assert "passphrase" not in done.shown

    def test_identities_only_excludes_keys_of_the_agent(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with agent_with(tmp_path, server.key) as address:
            monkeypatch.setenv("SSH_AUTH_SOCK", address)
            node = server.node(private_key_file=None, ssh_common_args="-o IdentitiesOnly=yes")

            result = run(node, server.known_hosts)

        assert isinstance(result, Lost)
        assert result.problem.code == "ssh-auth-failed"

    def test_identity_agent_selects_another_agent(self, server: Server, tmp_path: Path) -> None:
        with agent_with(tmp_path, server.key) as address:
            node = server.node(private_key_file=None, ssh_common_args=f"-o IdentityAgent={address}")

            result = run(node, server.known_hosts)

        assert isinstance(result, Completed), result.problem
