"""Passphrases and passwords that the user types: once for all nodes, and never shown."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.transport.at_terminal import at_terminal
from tests.transport.running import run_at_terminal
from tests.transport.sshd import LOGIN_PASSWORD, make_key, public_folder, serving

if TYPE_CHECKING:
    from tests.transport.at_terminal import Session
    from tests.transport.sshd import Server

pytestmark = pytest.mark.needs("sshd", "root")

PASSPHRASE = "correct horse battery staple"
# The stand-in for sudo took the password, and then ran the program as its user.
_TOOK_BOTH = '"code": "not-root"'


@pytest.fixture
def locked(server: Server, tmp_path: Path) -> str:
    make_key(tmp_path / "locked", passphrase=PASSPHRASE)
    return server.authorize(tmp_path / "locked")


class TestPassphrases:
    def test_one_prompt_for_all_nodes(self, server: Server, locked: str) -> None:
        done = run_at_terminal(server, [("passphrase for the key", PASSPHRASE)], count=6, private_key_file=locked)

        assert done.shown.count("b'root") == 6
        assert done.shown.count("passphrase for the key") == 1
        assert PASSPHRASE not in done.shown

    def test_three_attempts(self, server: Server, locked: str) -> None:
        prompt = "passphrase for the key"

        second = run_at_terminal(server, [(prompt, "wrong"), (prompt, PASSPHRASE)], private_key_file=locked)
        never = run_at_terminal(server, [(prompt, "wrong")] * 3, count=3, private_key_file=locked)

        assert "b'root" in second.shown
        assert never.shown.count(prompt) == 3
        assert never.shown.count("none of the passphrases entered decrypts the key") == 3

    def test_no_prompt_for_a_default_key_unless_all_else_fails(self, server: Server, tmp_path: Path) -> None:
        (tmp_path / ".ssh").mkdir()
        make_key(tmp_path / ".ssh/id_ed25519", passphrase=PASSPHRASE)
        server.authorize(tmp_path / ".ssh/id_ed25519")

        with_another = run_at_terminal(server, [], private_key_file=str(server.key))
        alone = run_at_terminal(server, [("passphrase for the key .*id_ed25519", PASSPHRASE)])

        assert "b'root" in with_another.shown
        assert "b'root" in alone.shown


class TestPasswords:
    @pytest.fixture
    def inventory(self, server: Server, tmp_path: Path) -> Path:
        (tmp_path / ".ssh").mkdir()
        shutil.copy(server.known_hosts, tmp_path / ".ssh/known_hosts")
        path = tmp_path / "inventory.ini"
        path.write_text(f"node1 ansible_host=127.0.0.1 ansible_port={server.port} ansible_user=operator\n")
        return path

    def plan(self, inventory: Path, flags: list[str], answers: list[tuple[str, str]]) -> Session:
        program = str(Path(sys.executable).with_name("harbor-agent"))
        command = [program, "plan", "-i", str(inventory), "--registry", "192.168.0.99", "-o", "json", *flags]
        return at_terminal(command, answers)

    def test_one_prompt_each_for_login_and_sudo(self, inventory: Path) -> None:
        done = self.plan(
            inventory, ["-k", "-K"], [("SSH password: ", LOGIN_PASSWORD), (r"BECOME password\[", "right password")]
        )

        assert _TOOK_BOTH in done.shown
        assert LOGIN_PASSWORD not in done.shown

    @pytest.mark.parametrize("transport", ["ssh", "ansible"])
    def test_ansible_cfg_may_require_prompts(
        self, inventory: Path, server: Server, monkeypatch: pytest.MonkeyPatch, transport: str
    ) -> None:
        known = f" ansible_ssh_common_args='-o UserKnownHostsFile={server.known_hosts}'\n"
        inventory.write_text(inventory.read_text().rstrip() + known)
        settings = inventory.with_name("ansible.cfg")
        settings.write_text("[defaults]\nask_pass = True\n[privilege_escalation]\nbecome_ask_pass = True\n")
        monkeypatch.setenv("ANSIBLE_CONFIG", str(settings))

        answers = [("SSH password: ", LOGIN_PASSWORD), (r"BECOME password\[", "right password")]
        done = self.plan(inventory, ["--transport", transport], answers)

        assert _TOOK_BOTH in done.shown

    def test_an_empty_answer_for_sudo_is_the_login_password(self, inventory: Path) -> None:
        done = self.plan(inventory, ["-k", "-K"], [("SSH password: ", LOGIN_PASSWORD), ("BECOME password", "")])

        # The login password is tried, and sudo has another one.
        assert "become-password-wrong" in done.shown

    def test_ctrl_c_at_a_prompt_ends_the_command_and_restores_the_terminal(self, inventory: Path, locked: str) -> None:
        with inventory.open("a") as file:
            file.write(f"[all:vars]\nansible_ssh_private_key_file={locked}\n")

        at_start = self.plan(inventory, ["-k"], [("SSH password: ", "\x03")])
        in_the_run = self.plan(inventory, [], [("passphrase for the key", "\x03")])

        assert (at_start.code, at_start.echoes) == (130, True)
        assert (in_the_run.code, in_the_run.echoes) == (130, True)

    def test_a_password_of_the_inventory_overrides_the_prompt(self, inventory: Path) -> None:
        with inventory.open("a") as file:
            file.write(f"[all:vars]\nansible_password={json.dumps(LOGIN_PASSWORD)}\n")

        # The login succeeded: what is missing is the password of sudo.
        done = self.plan(inventory, ["-k"], [("SSH password: ", "wrong")])
        assert '"code": "become-password-required"' in done.shown

    def test_one_prompt_for_the_password_of_a_bastion(self, server: Server) -> None:
        with public_folder() as home, serving(home) as bastion:
            known_hosts = server.known_hosts.read_text() + bastion.known_hosts.read_text()
            (home / "both").write_text(known_hosts)
            (home / "config").write_text(f"Host *\n  UserKnownHostsFile {home}/both\n")
            arguments = f"-F {home}/config -J nopasswd@127.0.0.1:{bastion.port}"

            done = run_at_terminal(
                server,
                [("nopasswd@127.0.0.1's password: ", LOGIN_PASSWORD)],
                count=4,
                private_key_file=str(server.key),
                ssh_common_args=arguments,
            )

        assert done.shown.count("b'root") == 4
        assert LOGIN_PASSWORD not in done.shown
