"""Keys in every form, passphrases and passwords that are typed: asked for once, and shown nowhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.program import Program
from harbor_agent.transport.protocol import Completed, Job, Lost
from harbor_agent.transport.ssh.transport import SshTransport
from tests.transport.at_terminal import at_terminal
from tests.transport.running import agent_with
from tests.transport.sshd import LOGIN_PASSWORD, certify, make_key, public_folder, serving

if TYPE_CHECKING:
    from harbor_agent.model.inventory import Node
    from tests.transport.at_terminal import Session
    from tests.transport.sshd import Server

pytestmark = pytest.mark.needs("sshd", "root")

PASSPHRASE = "correct horse battery staple"
HELLO = Program(stdin=b"echo hello")
# The transport alone, on several nodes: what is asked is asked on the terminal that the process has.
SCRIPT = """
import json, sys
from pathlib import Path
from harbor_agent.model.inventory import Node
from harbor_agent.model.program import Program
from harbor_agent.transport.protocol import Job
from harbor_agent.transport.ssh.transport import SshTransport

known_hosts, *nodes = json.loads(sys.argv[1])
transport = SshTransport(forks=3, known_hosts=[Path(known_hosts)])
jobs = [Job(node=Node(**node), program=Program(stdin=b"echo hello"), timeout=20) for node in nodes]
for result in transport.run(jobs):
    print(f"{result.job.node.name}: {getattr(result, 'stdout', None) or result.problem}")
transport.close()
"""


def run(node: Node, *known_hosts: Path) -> Completed | Lost:
    transport = SshTransport(forks=1, known_hosts=known_hosts)
    (result,) = transport.run([Job(node=node, program=HELLO, timeout=30)])
    transport.close()
    return result


def run_at_terminal(server: Server, answers: list[tuple[str, str]], *, count: int = 1, **changes: object) -> Session:
    node = {"address": server.address, "port": server.port, "user": "root", **changes}
    nodes = [{"name": f"node{number}", **node} for number in range(count)]
    return at_terminal([sys.executable, "-c", SCRIPT, json.dumps([str(server.known_hosts), *nodes])], answers)


@pytest.fixture
def locked(server: Server, tmp_path: Path) -> str:
    make_key(tmp_path / "locked", passphrase=PASSPHRASE)
    return server.authorize(tmp_path / "locked")


class TestKeys:
    @pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
    @pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
    def test_every_form_of_every_kind(self, server: Server, tmp_path: Path, kind: str, form: str) -> None:
        key = tmp_path / "key"
        make_key(key, kind=kind)
        convert = ["ssh-keygen", "-q", "-p", "-N", "", "-m", form, "-f", str(key)]
        subprocess.run(convert, check=True, stdout=subprocess.DEVNULL)

        result = run(server.node(private_key_file=server.authorize(key)), server.known_hosts)

        assert isinstance(result, Completed), result.problem

    @pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
    def test_an_encrypted_key_of_every_form_is_opened(self, server: Server, tmp_path: Path, form: str) -> None:
        key = tmp_path / "key"
        make_key(key, kind="rsa")
        server.authorize(key)
        lock = ["ssh-keygen", "-q", "-p", "-N", PASSPHRASE, "-m", form, "-f", str(key)]
        subprocess.run(lock, check=True, stdout=subprocess.DEVNULL)

        done = run_at_terminal(server, [(f"passphrase for the key {key}: ", PASSPHRASE)], private_key_file=str(key))

        assert "node0: b'hello" in done.shown

    def test_a_certificate_named_in_the_configuration_goes_with_its_key(self, tmp_path: Path) -> None:
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

    def test_where_the_certificate_is_not_taken_the_key_alone_is_tried(self, server: Server, tmp_path: Path) -> None:
        make_key(tmp_path / "authority")
        make_key(tmp_path / "key")
        certify(tmp_path / "key", authority=tmp_path / "authority")

        result = run(server.node(private_key_file=server.authorize(tmp_path / "key")), server.known_hosts)

        assert isinstance(result, Completed), result.problem

    @pytest.mark.parametrize("with_public_file", [True, False])
    def test_a_key_that_the_agent_holds_is_not_asked_for(
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

        assert "node0: b'hello" in done.shown
        assert "passphrase" not in done.shown

    def test_identities_only_leaves_the_agent_alone(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with agent_with(tmp_path, server.key) as address:
            monkeypatch.setenv("SSH_AUTH_SOCK", address)
            node = server.node(private_key_file=None, ssh_common_args="-o IdentitiesOnly=yes")

            result = run(node, server.known_hosts)

        assert isinstance(result, Lost)
        assert result.problem.code == "ssh-auth-failed"

    def test_another_agent_than_everybodys_is_asked(self, server: Server, tmp_path: Path) -> None:
        with agent_with(tmp_path, server.key) as address:
            node = server.node(private_key_file=None, ssh_common_args=f"-o IdentityAgent={address}")

            result = run(node, server.known_hosts)

        assert isinstance(result, Completed), result.problem


class TestPassphrases:
    def test_it_is_asked_for_once_and_shows_nowhere(self, server: Server, locked: str) -> None:
        done = run_at_terminal(server, [("passphrase for the key", PASSPHRASE)], count=6, private_key_file=locked)

        assert done.shown.count("b'hello") == 6
        assert done.shown.count("passphrase for the key") == 1
        assert PASSPHRASE not in done.shown

    def test_a_wrong_one_is_asked_for_again_three_times_in_all(self, server: Server, locked: str) -> None:
        question = "passphrase for the key"

        second = run_at_terminal(server, [(question, "wrong"), (question, PASSPHRASE)], private_key_file=locked)
        never = run_at_terminal(server, [(question, "wrong")] * 3, count=3, private_key_file=locked)

        assert "b'hello" in second.shown
        assert never.shown.count(question) == 3
        assert never.shown.count("none of the passphrases entered decrypts the key") == 3

    def test_a_default_key_is_opened_only_where_nothing_else_lets_in(self, server: Server, tmp_path: Path) -> None:
        (tmp_path / ".ssh").mkdir()
        make_key(tmp_path / ".ssh/id_ed25519", passphrase=PASSPHRASE)
        server.authorize(tmp_path / ".ssh/id_ed25519")

        with_another = run_at_terminal(server, [], private_key_file=str(server.key))
        alone = run_at_terminal(server, [("passphrase for the key .*id_ed25519", PASSPHRASE)])

        assert "b'hello" in with_another.shown
        assert "b'hello" in alone.shown


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

    def test_logins_and_sudo_take_what_was_typed_once(self, inventory: Path) -> None:
        done = self.plan(
            inventory, ["-k", "-K"], [("SSH password: ", LOGIN_PASSWORD), (r"BECOME password\[", "right password")]
        )

        assert '"status": "unreachable"' not in done.shown
        assert "become-" not in done.shown
        assert LOGIN_PASSWORD not in done.shown

    @pytest.mark.parametrize("transport", ["ssh", "ansible"])
    def test_ansible_cfg_may_say_to_ask(
        self, inventory: Path, server: Server, monkeypatch: pytest.MonkeyPatch, transport: str
    ) -> None:
        known = f" ansible_ssh_common_args='-o UserKnownHostsFile={server.known_hosts}'\n"
        inventory.write_text(inventory.read_text().rstrip() + known)
        settings = inventory.with_name("ansible.cfg")
        settings.write_text("[defaults]\nask_pass = True\n[privilege_escalation]\nbecome_ask_pass = True\n")
        monkeypatch.setenv("ANSIBLE_CONFIG", str(settings))

        answers = [("SSH password: ", LOGIN_PASSWORD), (r"BECOME password\[", "right password")]
        done = self.plan(inventory, ["--transport", transport], answers)

        assert '"status": "unreachable"' not in done.shown
        assert "become-" not in done.shown

    def test_an_empty_answer_for_sudo_is_the_login_password(self, inventory: Path) -> None:
        done = self.plan(inventory, ["-k", "-K"], [("SSH password: ", LOGIN_PASSWORD), ("BECOME password", "")])

        # It is the password for the login, and sudo here wants another one.
        assert "become-password-wrong" in done.shown

    def test_an_interrupt_at_the_question_ends_it_and_leaves_the_terminal_as_it_was(
        self, inventory: Path, locked: str
    ) -> None:
        with inventory.open("a") as file:
            file.write(f"[all:vars]\nansible_ssh_private_key_file={locked}\n")

        at_once = self.plan(inventory, ["-k"], [("SSH password: ", "\x03")])
        in_the_run = self.plan(inventory, [], [("passphrase for the key", "\x03")])

        assert (at_once.code, at_once.echoes) == (130, True)
        assert (in_the_run.code, in_the_run.echoes) == (130, True)

    def test_a_password_of_the_inventory_counts_before_it(self, inventory: Path) -> None:
        with inventory.open("a") as file:
            file.write(f"[all:vars]\nansible_password={json.dumps(LOGIN_PASSWORD)}\nansible_user=nopasswd\n")

        assert '"status": "unreachable"' not in self.plan(inventory, ["-k"], [("SSH password: ", "wrong")]).shown

    def test_a_bastion_asks_for_its_password_once(self, server: Server) -> None:
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

        assert done.shown.count("b'hello") == 4
        assert LOGIN_PASSWORD not in done.shown
