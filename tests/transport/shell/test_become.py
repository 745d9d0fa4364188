"""Any login shell starts a program, and sudo or su runs it as root."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.program import Program
from harbor_agent.transport.protocol import Completed, Job, Lost
from harbor_agent.transport.ssh.transport import SshTransport
from tests.transport.running import WHO, completed, lost, run
from tests.transport.sshd import become, public_folder, serving

if TYPE_CHECKING:
    from tests.transport.sshd import Server

pytestmark = pytest.mark.needs("sshd", "root")


class TestLoginShells:
    def test_output_of_the_login_shell_is_removed(self, server: Server) -> None:
        program = Program(stdin=b"echo out; echo err >&2", privileged=False)

        result = run(server.node(user="noisy"), server.known_hosts, program=program)

        assert isinstance(result, Completed)
        assert (result.stdout, result.stderr) == (b"out\n", b"err\n")

    @pytest.mark.parametrize(("user", "shell"), [("fishy", "fish"), ("seashell", "tcsh")])
    def test_fish_and_tcsh_start_the_program(self, server: Server, user: str, shell: str) -> None:
        if shutil.which(shell) is None:
            pytest.skip(f"needs {shell}: apt-get install {shell}")
        program = Program(stdin=b"echo out; echo err >&2; exit 5", privileged=False)

        result = run(server.node(user=user), server.known_hosts, program=program)

        assert isinstance(result, Completed), result.problem
        assert (result.rc, result.stdout, result.stderr) == (5, b"out\n", b"err\n")

    def test_a_restricted_shell_is_reported(self, server: Server) -> None:
        result = lost(server.node(user="restricted"), server.known_hosts)

        assert (result.problem.code, result.started) == ("login-shell-refused", False)
        assert "restricted" in result.problem.message

    def test_an_account_without_a_shell_is_reported(self, server: Server) -> None:
        result = lost(server.node(user="nologin"), server.known_hosts)

        assert (result.problem.code, result.started) == ("login-shell-refused", False)
        assert "not available" in result.problem.message


class TestRoot:
    def test_root_needs_no_sudo(self, server: Server) -> None:
        assert completed(server.node(), server.known_hosts).stdout == b"root \n"

    def test_sudo_without_a_password(self, server: Server) -> None:
        assert completed(server.node(user="nopasswd"), server.known_hosts).stdout == b"nopasswd yes\n"

    def test_a_password_is_not_sent_without_a_prompt(self, server: Server) -> None:
        node = server.node(user="nopasswd", become=become("not asked for"))
        program = Program(stdin=b"echo $#", arguments=("x",))

        result = run(node, server.known_hosts, program=program)

        assert isinstance(result, Completed)
        assert (result.stdout, result.stderr) == (b"1\n", b"")

    def test_sudo_with_a_password_that_is_never_shown(self, server: Server) -> None:
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
    def test_failures_of_sudo_have_their_codes(
        self, server: Server, user: str, password: str | None, code: str
    ) -> None:
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
    def test_failures_of_su_have_their_codes(self, server: Server, password: str | None, code: str) -> None:
        node = server.node(user="operator", become=become(password, method="su"))

        result = lost(node, server.known_hosts)

        assert (result.problem.code, result.started) == (code, False)

    def test_a_terminal_is_used_if_sudo_requires_one(self, server: Server) -> None:
        program = Program(stdin=b'[ -t 0 ] || echo "$USER $AS_ROOT"; printf "\\r\\n\\0\\377"; exit 3')

        result = run(server.node(user="ttyonly"), server.known_hosts, program=program)

        assert isinstance(result, Completed), result.problem
        assert (result.rc, result.stdout, result.stderr) == (3, b"ttyonly yes\n\r\n\0\xff", b"")

    def test_requiretty_without_a_terminal_is_reported(self) -> None:
        with public_folder() as home, serving(home, extra="PermitTTY no") as strict:
            transport = SshTransport(forks=1, known_hosts=[strict.known_hosts])
            programs = (WHO, Program(stdin=WHO.stdin, privileged=False))
            jobs = [Job(node=strict.node(user="ttyonly"), program=program, timeout=20) for program in programs]
            as_root, as_user = transport.run(jobs)

        assert isinstance(as_root, Lost)
        assert (as_root.problem.code, as_root.started) == ("become-requires-tty", False)
        assert isinstance(as_user, Completed), "what needs no root needs no terminal"

    def test_an_unprivileged_program_does_not_use_sudo(self, server: Server) -> None:
        program = Program(stdin=WHO.stdin, privileged=False)

        result = run(server.node(user="stranger"), server.known_hosts, program=program)

        assert isinstance(result, Completed)
        assert result.stdout == b"stranger \n"
