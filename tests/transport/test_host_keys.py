"""What only SSH promises: host keys, logins, login shells and ways to root."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.program import Program
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.transport.protocol import Completed, Job, Lost
from harbor_agent.transport.ssh.transport import SshTransport
from tests.transport.running import WHO, agent_with, completed, lost, run
from tests.transport.sshd import LOGIN_PASSWORD, become, certify, make_key, public_folder, serving

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


class TestHostKeys:
    def test_an_unknown_key_is_refused_and_not_added(self, server: Server, write: Write) -> None:
        empty = write("# nothing")

        result = lost(server.node(), empty)

        assert (result.problem.code, result.started) == ("host-key-unknown", False)
        assert empty.read_text() == "# nothing\n"
        # The hint ends with the line to add, once the fingerprint was compared.
        completed(server.node(), write(result.problem.hint.rpartition(": ")[2]))

    def test_a_changed_key_is_told_from_an_unknown_one(self, server: Server, write: Write, tmp_path: Path) -> None:
        make_key(tmp_path / "other")
        other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
        files = write(f"[127.0.0.1]:{server.port} {other}")

        result = lost(server.node(), files)

        assert result.problem.code == "host-key-changed"
        assert f"{files}:1" in result.problem.message

    def test_a_revoked_key_is_refused_though_it_is_known(self, server: Server, write: Write) -> None:
        key = server.host_key()
        files = write(f"[127.0.0.1]:{server.port} {key}", f"@revoked * {key}")

        assert lost(server.node(), files).problem.code == "host-key-revoked"

    @pytest.mark.parametrize("form", ["a list of keys", "a binary list"])
    def test_a_key_in_the_list_of_revoked_ones_is_refused(
        self, server: Server, write: Write, tmp_path: Path, form: str
    ) -> None:
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

    def test_arguments_that_keep_no_keys_are_the_way_out(self, server: Server) -> None:
        result = lost(server.node(ssh_common_args="-o UserKnownHostsFile=/dev/null"), server.known_hosts)

        assert result.problem.code == "host-key-unknown"
        assert "take UserKnownHostsFile out" in result.problem.hint

    @pytest.mark.parametrize("kind", ["ed25519", "rsa"])
    def test_the_type_that_is_known_is_asked_for(self, server: Server, write: Write, kind: str) -> None:
        completed(server.node(), write(f"[127.0.0.1]:{server.port} {server.host_key(kind)}"))

    def test_a_certificate_authority_does_not_spoil_the_file(self, server: Server, write: Write) -> None:
        key = server.host_key()
        completed(server.node(), write(f"@cert-authority * {key}", "no entry", f"[127.0.0.1]:{server.port} {key}"))

        assert lost(server.node(), write(f"@cert-authority * {key}")).problem.code == "host-key-unknown"

    def test_a_file_named_in_the_ssh_arguments_takes_the_place_of_the_users(self, server: Server, write: Write) -> None:
        arguments = f"-o StrictHostKeyChecking=no -o UserKnownHostsFile={server.known_hosts}"

        completed(server.node(ssh_common_args=arguments), write())
        assert lost(server.node(ssh_common_args="-o UserKnownHostsFile=/dev/null"), server.known_hosts)


class TestLogin:
    def test_a_password_is_enough(self, server: Server) -> None:
        node = server.node(user="nopasswd", private_key_file=None, password=Sensitive(LOGIN_PASSWORD))

        assert completed(node, server.known_hosts).stdout == b"nopasswd yes\n"

    def test_a_wrong_password_is_said_without_showing_it(self, server: Server) -> None:
        node = server.node(private_key_file=None, password=Sensitive("not the password"))

        result = lost(node, server.known_hosts)

        assert (result.problem.code, result.started) == ("ssh-auth-failed", False)
        assert "not the password" not in repr(result)

    def test_a_wrong_key_is_named(self, server: Server, tmp_path: Path) -> None:
        make_key(tmp_path / "stranger")

        result = lost(server.node(private_key_file=str(tmp_path / "stranger")), server.known_hosts)

        assert result.problem.code == "ssh-auth-failed"
        assert str(tmp_path / "stranger") in result.problem.message

    def test_the_users_default_key_is_used(self, server: Server, tmp_path: Path) -> None:
        (tmp_path / ".ssh").mkdir()
        (tmp_path / ".ssh/id_ed25519").write_bytes((server.home / "client_ed25519").read_bytes())

        completed(server.node(private_key_file=None), server.known_hosts)

    @pytest.mark.parametrize(("kind", "code"), [("ed25519", "ssh-key-encrypted"), ("rsa", "ssh-key-encrypted")])
    def test_an_encrypted_key_asks_for_an_agent(self, server: Server, tmp_path: Path, kind: str, code: str) -> None:
        make_key(tmp_path / "locked", kind=kind, passphrase="secret")

        result = lost(server.node(private_key_file=str(tmp_path / "locked")), server.known_hosts)

        assert result.problem.code == code
        assert "ssh-add" in result.problem.hint

    def test_an_agent_has_the_key(self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make_key(tmp_path / "locked", passphrase="secret")
        with agent_with(tmp_path, server.home / "client_ed25519") as address:
            monkeypatch.setenv("SSH_AUTH_SOCK", address)

            completed(server.node(private_key_file=None), server.known_hosts)
            completed(server.node(private_key_file=str(tmp_path / "locked")), server.known_hosts)

    def test_an_agent_that_does_not_answer_is_no_agent(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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

    def test_a_key_file_that_is_not_there_is_named(self, server: Server, tmp_path: Path) -> None:
        result = lost(server.node(private_key_file=str(tmp_path / "absent")), server.known_hosts)

        assert result.problem.code == "ssh-key-unreadable"

    def test_nothing_to_log_in_with_is_said(self, server: Server) -> None:
        assert "no password" in lost(server.node(private_key_file=None), server.known_hosts).problem.message


class TestAddresses:
    def test_a_family_that_this_machine_lacks_leaves_the_next_address(
        self, server: Server, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look_up = socket.getaddrinfo

        def with_another_family(_host: str, *rest: object, **more: object) -> list[tuple[object, ...]]:
            (family, kind, protocol, name, place), *_ = look_up("127.0.0.1", *rest, **more)  # type: ignore[arg-type]
            return [(99, kind, protocol, name, place), (family, kind, protocol, name, place)]

        monkeypatch.setattr(socket, "getaddrinfo", with_another_family)

        # Somebody answered there; under this name nobody knows the key.
        assert lost(server.node(address="both.test"), write("# nothing")).problem.code == "host-key-unknown"


class TestLoginShells:
    def test_what_a_shell_prints_at_its_start_is_not_the_programs(self, server: Server) -> None:
        program = Program(stdin=b"echo out; echo err >&2", privileged=False)

        result = run(server.node(user="noisy"), server.known_hosts, program=program)

        assert isinstance(result, Completed)
        assert (result.stdout, result.stderr) == (b"out\n", b"err\n")

    @pytest.mark.parametrize(("user", "shell"), [("fishy", "fish"), ("seashell", "tcsh")])
    def test_a_shell_that_is_no_bourne_shell_starts_the_program_too(
        self, server: Server, user: str, shell: str
    ) -> None:
        if shutil.which(shell) is None:
            pytest.skip(f"needs {shell}: apt-get install {shell}")
        program = Program(stdin=b"echo out; echo err >&2; exit 5", privileged=False)

        result = run(server.node(user=user), server.known_hosts, program=program)

        assert isinstance(result, Completed), result.problem
        assert (result.rc, result.stdout, result.stderr) == (5, b"out\n", b"err\n")

    def test_a_restricted_shell_is_named(self, server: Server) -> None:
        result = lost(server.node(user="restricted"), server.known_hosts)

        assert (result.problem.code, result.started) == ("login-shell-refused", False)
        assert "restricted" in result.problem.message

    def test_an_account_without_a_shell_is_named(self, server: Server) -> None:
        result = lost(server.node(user="nologin"), server.known_hosts)

        assert (result.problem.code, result.started) == ("login-shell-refused", False)
        assert "not available" in result.problem.message


class TestRoot:
    def test_root_needs_no_sudo(self, server: Server) -> None:
        assert completed(server.node(), server.known_hosts).stdout == b"root \n"

    def test_sudo_without_a_password(self, server: Server) -> None:
        assert completed(server.node(user="nopasswd"), server.known_hosts).stdout == b"nopasswd yes\n"

    def test_a_password_that_sudo_does_not_ask_for_is_not_sent(self, server: Server) -> None:
        node = server.node(user="nopasswd", become=become("not asked for"))
        program = Program(stdin=b"echo $#", arguments=("x",))

        result = run(node, server.known_hosts, program=program)

        assert isinstance(result, Completed)
        assert (result.stdout, result.stderr) == (b"1\n", b"")

    def test_sudo_with_a_password_that_shows_nowhere(self, server: Server) -> None:
        node = server.node(user="operator", become=become("right password"))

        result = completed(node, server.known_hosts)

        assert (result.stdout, result.stderr) == (b"operator yes\n", b"")
        assert "right password" not in (server.home / "sudo.log").read_text() + repr(result)

    @pytest.mark.parametrize(
        ("user", "password", "code"),
        [
            ("operator", "wrong password", "become-password-wrong"),
            ("operator", None, "become-password-required"),
            ("stranger", None, "become-not-permitted"),
            ("stranger", "right password", "become-not-permitted"),
        ],
    )
    def test_each_way_to_fail_has_its_name(self, server: Server, user: str, password: str | None, code: str) -> None:
        node = server.node(user=user, become=become(password))

        begin = time.monotonic()
        result = lost(node, server.known_hosts)

        assert (result.problem.code, result.started) == (code, False)
        assert time.monotonic() - begin < 3

    def test_su_with_a_password(self, server: Server) -> None:
        node = server.node(user="operator", become=become("right password", method="su"))

        assert completed(node, server.known_hosts).stdout == b"operator yes\n"

    @pytest.mark.parametrize(
        ("password", "code"), [("wrong password", "become-password-wrong"), (None, "become-password-required")]
    )
    def test_su_that_does_not_let_in(self, server: Server, password: str | None, code: str) -> None:
        node = server.node(user="operator", become=become(password, method="su"))

        result = lost(node, server.known_hosts)

        assert (result.problem.code, result.started) == (code, False)

    def test_a_terminal_is_used_where_sudo_insists_on_one(self, server: Server) -> None:
        program = Program(stdin=b'[ -t 0 ] || echo "$USER $AS_ROOT"; printf "\\r\\n\\0\\377"; exit 3')

        result = run(server.node(user="ttyonly"), server.known_hosts, program=program)

        assert isinstance(result, Completed), result.problem
        assert (result.rc, result.stdout, result.stderr) == (3, b"ttyonly yes\n\r\n\0\xff", b"")

    def test_where_there_is_no_terminal_to_be_had_sudo_is_to_be_changed(self) -> None:
        with public_folder() as home, serving(home, extra="PermitTTY no") as strict:
            transport = SshTransport(forks=1, known_hosts=[strict.known_hosts])
            programs = (WHO, Program(stdin=WHO.stdin, privileged=False))
            jobs = [Job(node=strict.node(user="ttyonly"), program=program, timeout=20) for program in programs]
            as_root, as_user = transport.run(jobs)

        assert isinstance(as_root, Lost)
        assert (as_root.problem.code, as_root.started) == ("become-requires-tty", False)
        assert isinstance(as_user, Completed), "what needs no root needs no terminal"

    def test_an_unprivileged_program_asks_for_nothing(self, server: Server) -> None:
        program = Program(stdin=WHO.stdin, privileged=False)

        result = run(server.node(user="stranger"), server.known_hosts, program=program)

        assert isinstance(result, Completed)
        assert result.stdout == b"stranger \n"
