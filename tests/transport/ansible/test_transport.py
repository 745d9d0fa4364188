"""Promises of the transport through Ansible alone: it leaves nothing behind, leaks no secret, runs nothing twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.inventory.load import load_inventory, vault_passwords
from harbor_agent.model.inventory import VaultSources
from harbor_agent.model.program import Program
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.transport.ansible.transport import AnsibleTransport
from harbor_agent.transport.protocol import Completed, Job, Lost
from tests.transport.ansible_inventory import HOSTS, write_inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.transport.sshd import Server

pytestmark = pytest.mark.needs("sshd", "root")

MEMORY = Path("/dev/shm")
CANARY = "canary-6b1f09"
_HOLD = """
import sys
from harbor_agent.model.inventory import Node
from harbor_agent.model.program import Program
from harbor_agent.transport.ansible.transport import AnsibleTransport
from harbor_agent.transport.protocol import Job
program = Program(stdin=sys.argv[2].encode())
job = Job(node=Node(name="node1", address="127.0.0.1", user="nopasswd"), program=program)
for result in AnsibleTransport(sources=[sys.argv[1]], forks=1).run([job]):
    print(result)
"""


def folders() -> set[Path]:
    return set(MEMORY.glob("harbor-agent-ansible.*"))


def wait_for(what: Callable[[], object], *, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def run(
    transport: AnsibleTransport, server: Server, *programs: bytes, user: str = "nopasswd"
) -> list[Completed | Lost]:
    jobs = [
        Job(node=server.node(name=name, user=user), program=Program(stdin=program), timeout=30)
        for name, program in zip(HOSTS, programs, strict=False)
    ]
    return list(transport.run(jobs))


@pytest.fixture
def transport(server: Server, tmp_path: Path) -> AnsibleTransport:
    return AnsibleTransport(sources=[str(write_inventory(tmp_path, server))], forks=4)


@pytest.fixture
def held(server: Server, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose program hangs on the node, once it has begun there."""
    begun = server.home / "begun"
    begun.unlink(missing_ok=True)
    (server.home).chmod(0o777)
    program = f": {CANARY}; touch {begun}; sleep 120"
    argv = [sys.executable, "-c", _HOLD, str(write_inventory(tmp_path, server)), program]
    before = folders()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(begun.exists)
    ours = folders() - before
    yield process
    process.kill()
    process.wait()
    for pid in {pid for folder in ours for pid in _processes_with(folder.name)}:
        os.kill(pid, signal.SIGKILL)


def test_a_run_leaves_no_directory_and_no_process(transport: AnsibleTransport, server: Server) -> None:
    before = folders()

    (result,) = run(transport, server, b"echo done")

    assert isinstance(result, Completed)
    assert folders() <= before
    wait_for(lambda: not _processes_with("harbor-agent-ansible."))


def test_a_package_in_the_current_directory_is_not_imported(
    transport: AnsibleTransport, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = tmp_path / "elsewhere/agent"
    planted.mkdir(parents=True)
    (planted / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.chdir(planted.parent)

    (result,) = run(transport, server, b"echo done")

    assert isinstance(result, Completed), result.problem
    assert not (tmp_path / "ran").exists()


def test_a_program_is_in_no_file_and_in_no_arguments(
    held: subprocess.Popen[bytes],
) -> None:
    files = [path for folder in folders() for path in folder.rglob("*") if path.is_file()]

    assert files
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]
    assert _processes_with(CANARY) == [held.pid]  # to which the test itself said it
    assert {folder.stat().st_mode & 0o777 for folder in folders()} == {0o700}


def test_the_next_run_removes_the_directory_of_a_killed_one(
    held: subprocess.Popen[bytes], transport: AnsibleTransport, server: Server
) -> None:
    left = folders()
    held.kill()
    held.wait()
    assert left & folders()

    run(transport, server, b"true")

    assert not left & folders()


def test_an_interrupt_ends_all_processes(held: subprocess.Popen[bytes]) -> None:
    ours = folders()
    held.send_signal(signal.SIGINT)

    held.wait(60)

    wait_for(lambda: not [pid for folder in ours for pid in _processes_with(folder.name)], seconds=30)


def test_a_connection_that_breaks_while_the_program_runs_has_an_unknown_outcome(
    transport: AnsibleTransport, server: Server
) -> None:
    cut = b"""
        pid=$$
        while [ "$(cat /proc/$pid/comm)" != sshd ]; do pid=$(sed 's/.*) . \\([0-9]*\\).*/\\1/' /proc/$pid/stat); done
        kill -9 $pid $(sed 's/.*) . \\([0-9]*\\).*/\\1/' /proc/$pid/stat); sleep 20
    """

    broken, whole = sorted(run(transport, server, cut, b"echo whole"), key=lambda result: result.job.node.name)

    assert isinstance(broken, Lost)
    assert (broken.problem.code, broken.started) == ("connection-lost", True), broken.problem
    assert isinstance(whole, Completed)


def test_an_open_connection_of_another_run_is_not_used(server: Server, tmp_path: Path) -> None:
    """It would get round the check of the host key."""
    open_one = tmp_path / "master"
    (tmp_path / "unknown").write_text("")
    identity = ["-i", str(server.home / "client_ed25519"), "-p", str(server.port)]
    trusted = ["-o", f"UserKnownHostsFile={server.known_hosts}", "-o", f"ControlPath={open_one}"]
    master = subprocess.Popen(
        ["ssh", "-M", "-N", *identity, *trusted, "nopasswd@127.0.0.1"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(open_one.exists)
    arguments = f"-o ControlPath={open_one} -o UserKnownHostsFile={tmp_path / 'unknown'}"
    source = write_inventory(tmp_path, server, ansible_ssh_common_args=arguments)

    (result,) = run(AnsibleTransport(sources=[str(source)], forks=1), server, b"true")

    master.terminate()
    master.wait()
    assert isinstance(result, Lost)
    assert result.problem.code == "host-key-unknown"


def test_a_program_that_ends_with_255_is_neither_unreachable_nor_run_again(
    transport: AnsibleTransport, server: Server
) -> None:
    (server.home).chmod(0o777)
    runs = server.home / "runs"
    runs.unlink(missing_ok=True)

    (result,) = run(transport, server, f"echo run >>{runs}; exit 255".encode())

    assert isinstance(result, Completed)
    assert result.rc != 0
    assert runs.read_text() == "run\n"


def test_an_error_of_ansible_is_quoted(server: Server, tmp_path: Path) -> None:
    source = write_inventory(tmp_path, server, ansible_connection="no_such_plugin")

    (result,) = run(AnsibleTransport(sources=[str(source)], forks=1), server, b"true")

    assert isinstance(result, Lost)
    assert (result.problem.code, result.started) == ("ansible-failed", False)
    assert "no_such_plugin" in result.problem.message


def test_secrets_of_the_environment_are_not_passed_to_ansible(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection plugin sees what Ansible sees; here it is the local one, that runs in Ansible's environment."""
    monkeypatch.setenv("HARBOR_PASSWORD", CANARY)
    source = tmp_path / "local.ini"
    source.write_text("node1 ansible_connection=local ansible_become=false\n")

    (result,) = run(AnsibleTransport(sources=[str(source)], forks=1), server, b"env")

    assert isinstance(result, Completed), result.problem
    assert b"HOME=" in result.stdout
    assert CANARY.encode() not in result.stdout


def test_typed_passwords_reach_ansible_and_no_file(server: Server, tmp_path: Path) -> None:
    source = write_inventory(tmp_path, server, ansible_user="operator")
    right = AnsibleTransport(sources=[str(source)], forks=1, become_password=Sensitive("right password"))
    wrong = AnsibleTransport(sources=[str(source)], forks=1, become_password=Sensitive("wrong password"))

    (accepted,) = run(right, server, b"echo ${AS_ROOT-}", user="operator")
    (refused,) = run(wrong, server, b"echo ${AS_ROOT-}", user="operator")

    assert isinstance(accepted, Completed), accepted.problem
    assert accepted.stdout == b"yes\n"
    assert isinstance(refused, Lost)
    assert refused.problem.code == "become-password-wrong"


def test_vault_passwords_of_the_inventory_reach_ansible(server: Server, tmp_path: Path) -> None:
    password = tmp_path / "vault-password"
    password.write_text("open the vault\n")
    vault = shutil.which("ansible-vault", path=str(Path(sys.executable).parent))
    assert vault
    argv = [vault, "encrypt_string", "--vault-id", f"site@{password}", "right password"]
    hidden = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    write_inventory(tmp_path, server, ansible_user="operator")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text(f"ansible_become_password: {hidden}")
    source = str(tmp_path / "inventory.ini")

    node = load_inventory([source], limit="node1", vault=VaultSources(ids=(f"site@{password}",)))[0]
    job = Job(node=node, program=Program(stdin=b"echo ${AS_ROOT-}"), timeout=30)
    (result,) = AnsibleTransport(sources=[source], forks=1, vault_passwords=vault_passwords).run([job])

    assert isinstance(result, Completed), result.problem
    assert result.stdout == b"yes\n"


def _processes_with(text: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                argv = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in argv:
                found.append(int(folder.name))
    return found
