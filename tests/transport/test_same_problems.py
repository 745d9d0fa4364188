"""The same problem has the same code with every transport, and no program is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.inventory.load import load_inventory
from harbor_agent.model.program import Program
from harbor_agent.transport.ansible.transport import AnsibleTransport
from harbor_agent.transport.protocol import Completed, Job, Lost
from harbor_agent.transport.ssh.transport import SshTransport
from tests.transport.sshd import free_port, make_key

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transport.sshd import Server

pytestmark = pytest.mark.needs("sshd", "root")

WHO = Program(stdin=b'echo "$USER ${AS_ROOT-}"; echo err >&2')
WORKS = {
    "key": "nopasswd yes",
    "password-for-sudo": "operator yes",
    "terminal-for-sudo": "ttyonly yes",
    "talkative-shell": "noisy yes",
}
PROBLEMS = {
    "unknown-key": "host-key-unknown",
    "changed-key": "host-key-changed",
    "revoked-key": "host-key-revoked",
    "refused": "ssh-refused",
    "nameless": "ssh-name-unknown",
    "wrong-login": "ssh-auth-failed",
    "wrong-sudo": "become-password-wrong",
    "missing-sudo": "become-password-required",
    "stranger": "become-not-permitted",
    "no-shell": "login-shell-refused",
}


def inventory(folder: Path, server: Server) -> Path:
    make_key(folder / "other")
    other = " ".join((folder / "other.pub").read_text().split()[:2])
    name = f"[127.0.0.1]:{server.port}"
    (folder / "changed").write_text(f"{name} {other}\n")
    (folder / "revoked").write_text(f"@revoked {name} {server.host_key()}\n{name} {server.host_key()}\n")
    (folder / "unknown").write_text("")
    trust = "ansible_ssh_common_args='-o UserKnownHostsFile={}'"
    path = folder / "inventory.ini"
    path.write_text(f"""
key
password-for-sudo ansible_user=operator ansible_become_password='right password'
terminal-for-sudo ansible_user=ttyonly
talkative-shell ansible_user=noisy ansible_become_password='right password'
unknown-key {trust.format(folder / "unknown")}
changed-key {trust.format(folder / "changed")}
revoked-key {trust.format(folder / "revoked")}
refused ansible_port={free_port()}
nameless ansible_host=no-such-host.invalid
wrong-login ansible_ssh_private_key_file={folder / "other"}
wrong-sudo ansible_user=operator ansible_become_password='wrong password'
missing-sudo ansible_user=operator
stranger ansible_user=stranger
no-shell ansible_user=nologin

[all:vars]
ansible_host=127.0.0.1
ansible_port={server.port}
ansible_user=nopasswd
ansible_ssh_private_key_file={server.home / "client_ed25519"}
ansible_ssh_common_args='-o UserKnownHostsFile={server.known_hosts}'
""")
    return path


@pytest.fixture(scope="module", params=["ssh", "ansible"])
def results(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Completed | Lost]:
    source = inventory(tmp_path_factory.mktemp("problems"), server)
    names = [*WORKS, *PROBLEMS]
    forks = len(names)
    # All of them have one address: loaded together, they would be one machine.
    nodes = [node for name in names for node in load_inventory([str(source)], limit=name)]
    jobs = [Job(node=node, program=WHO, timeout=60) for node in nodes]
    if request.param == "ssh":
        transport = SshTransport(forks=forks)
    else:
        transport = AnsibleTransport(sources=[str(source)], forks=forks)
    return {result.job.node.name: result for result in transport.run(jobs)}


@pytest.mark.parametrize("name", WORKS)
def test_these_logins_succeed(results: dict[str, Completed | Lost], name: str) -> None:
    result = results[name]

    assert isinstance(result, Completed), result.problem
    assert (result.rc, result.stdout.decode(), result.stderr) == (0, f"{WORKS[name]}\n", b"err\n")


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_problem_is_reported_and_nothing_was_run(results: dict[str, Completed | Lost], name: str) -> None:
    result = results[name]

    assert isinstance(result, Lost), result
    assert (result.problem.code, result.started) == (PROBLEMS[name], False), result.problem
    assert result.problem.message.startswith(name)
