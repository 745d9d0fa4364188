"""Bastions and proxies: every hop is verified, logged in to once, named in errors, and closed at the end."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.program import Program
from harbor_agent.transport.protocol import Completed, Job, Lost
from harbor_agent.transport.ssh.transport import SshTransport
from tests.transport.sshd import free_port, public_folder, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.inventory import Node
    from tests.transport.sshd import Server

pytestmark = pytest.mark.needs("sshd", "root")

HELLO = Program(stdin=b"echo hello")


@pytest.fixture(scope="module")
def bastions() -> Iterator[tuple[Server, Server]]:
    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(serving(stack.enter_context(public_folder()), extra="LogLevel VERBOSE"))
            for _ in range(2)
        )


@pytest.fixture
def configuration(server: Server, bastions: tuple[Server, Server], tmp_path: Path) -> Path:
    """Write an ssh configuration in which the bastions are called `first` and `second`."""
    path = tmp_path / "ssh_config"
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text("".join(one.known_hosts.read_text() for one in (server, *bastions)))
    hosts = "".join(
        f"Host {name}\n  HostName 127.0.0.1\n  Port {one.port}\n  IdentityFile {one.key}\n"
        for name, one in zip(("first", "second"), bastions, strict=True)
    )
    path.write_text(f"{hosts}Host *\n  User root\n  UserKnownHostsFile {known_hosts}\n")
    return path


def logins(server: Server) -> int:
    return (server.home / "sshd.log").read_text().count("Accepted publickey")


def sessions(server: Server) -> set[str]:
    """The sshd processes that serve a connection of this server."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if (folder / "comm").read_text() == "sshd\n" and f"{server.home}/" in Path(
                f"/proc/{parent}/cmdline"
            ).read_text():
                found.add(folder.name)
        except OSError:
            continue
    return found


def run(transport: SshTransport, *nodes: Node, timeout: float = 60) -> list[Completed | Lost]:
    return list(transport.run([Job(node=node, program=HELLO, timeout=timeout) for node in nodes]))


def lost(node: Node, **options: object) -> Lost:
    transport = SshTransport(forks=1, connect_timeout=5, **options)
    (result,) = run(transport, node)
    transport.close()
    assert isinstance(result, Lost), result
    assert node.name in result.problem.message
    return result


class TestBastions:
    def test_many_nodes_share_one_login_per_bastion_until_the_end(
        self, server: Server, bastions: tuple[Server, Server], configuration: Path
    ) -> None:
        nodes = [
            server.node(name=f"node{number}", ssh_common_args=f"-F {configuration} -J first,second")
            for number in range(8)
        ]
        before = [logins(bastion) for bastion in bastions]
        transport = SshTransport(forks=4)

        results = [*run(transport, *nodes), *run(transport, *nodes)]

        assert [r.stdout if isinstance(r, Completed) else r.problem for r in results] == [b"hello\n"] * 16
        assert [logins(bastion) for bastion in bastions] == [count + 1 for count in before]
        assert all(sessions(bastion) for bastion in bastions)
        transport.close()
        end = time.monotonic() + 20
        while any(sessions(bastion) for bastion in bastions):
            assert time.monotonic() < end, "a connection to a bastion stays open"
            time.sleep(0.05)

    def test_a_slow_name_of_a_bastion_delays_its_nodes_once(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look_up = socket.getaddrinfo

        def slowly(host: str, *rest: object, **more: object) -> object:
            if host == "bastion.test":
                time.sleep(0.5)  # a name server that takes its time
                host = "127.0.0.1"
            return look_up(host, *rest, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", slowly)
        arguments = f"-F none -J nobody@bastion.test:{free_port()}"
        nodes = [server.node(name=f"node{number}", ssh_common_args=arguments) for number in range(4)]

        results = run(SshTransport(forks=2), *nodes, timeout=20)

        assert [result.problem.code for result in results if isinstance(result, Lost)] == ["ssh-refused"] * 4

    def test_a_bastion_may_have_a_bastion_of_its_own(self, server: Server, configuration: Path) -> None:
        text = configuration.read_text().replace("Host second\n", "Host second\n  ProxyJump first\n")
        configuration.write_text(text)
        transport = SshTransport(forks=1)

        (result,) = run(transport, server.node(ssh_common_args=f"-F {configuration} -o ProxyJump=second"))
        transport.close()

        assert isinstance(result, Completed), result.problem

    def test_every_bastion_is_verified(
        self, server: Server, bastions: tuple[Server, Server], configuration: Path
    ) -> None:
        known_hosts = configuration.with_name("known_hosts")
        lines = [line for line in known_hosts.read_text().splitlines() if f":{bastions[1].port} " not in line]
        known_hosts.write_text("\n".join(lines) + "\n")

        problem = lost(server.node(ssh_common_args=f"-F {configuration} -J first,second")).problem

        assert problem.code == "host-key-unknown"
        assert f"bastion second (root@127.0.0.1:{bastions[1].port})" in problem.message

    def test_a_bastion_that_refuses_the_login(self, server: Server, configuration: Path) -> None:
        text = configuration.read_text().replace("  IdentityFile", "  IdentitiesOnly yes\n  #", 1)
        configuration.write_text(text)

        problem = lost(server.node(ssh_common_args=f"-F {configuration} -J first")).problem

        assert (problem.code, "bastion first" in problem.message) == ("ssh-auth-failed", True)

    def test_a_dead_bastion_costs_one_timeout(self, server: Server, configuration: Path) -> None:
        configuration.write_text(f"Host gone\n  HostName 127.0.0.1\n  Port {free_port()}\n{configuration.read_text()}")
        nodes = [
            server.node(name=f"node{number}", ssh_common_args=f"-F {configuration} -J gone") for number in range(12)
        ]
        fine = server.node(name="fine", ssh_common_args=f"-F {configuration}")
        transport = SshTransport(forks=3)

        results = run(transport, *nodes, fine)

        assert isinstance(next(result for result in results if result.job.node is fine), Completed)
        problems = [result.problem for result in results if isinstance(result, Lost)]
        assert {problem.code for problem in problems} == {"ssh-refused"}
        assert sorted(problem.message.split(":")[0] for problem in problems) == sorted(node.name for node in nodes)
        assert all("bastion gone" in problem.message for problem in problems)

    def test_a_node_that_the_bastion_does_not_reach(self, server: Server, configuration: Path) -> None:
        problem = lost(server.node(port=free_port(), ssh_common_args=f"-F {configuration} -J first")).problem

        assert problem.code == "ssh-no-route"
        assert "bastion first" in problem.message

    def test_a_bastion_that_forbids_forwarding(self, server: Server, configuration: Path) -> None:
        with public_folder() as home, serving(home, extra="AllowTcpForwarding no") as strict:
            known = strict.known_hosts.read_text()
            known_hosts = configuration.with_name("known_hosts")
            known_hosts.write_text(known_hosts.read_text() + known)
            text = f"Host strict\n  HostName 127.0.0.1\n  Port {strict.port}\n  IdentityFile {strict.key}\n"
            configuration.write_text(text + configuration.read_text())

            problem = lost(server.node(ssh_common_args=f"-F {configuration} -J strict")).problem

        assert (problem.code, "bastion strict" in problem.message) == ("ssh-bastion-forbids", True)

    @pytest.mark.parametrize("jump", ["first,second,first", "itself"])
    def test_a_loop_is_reported(self, server: Server, configuration: Path, jump: str) -> None:
        configuration.write_text(
            f"Host itself\n  HostName 127.0.0.1\n  Port {server.port}\n{configuration.read_text()}"
        )

        assert lost(server.node(ssh_common_args=f"-F {configuration} -J {jump}")).problem.code == "ssh-proxy-loop"

    def test_a_lost_connection_to_a_bastion_is_opened_again(
        self, server: Server, configuration: Path, bastions: tuple[Server, Server]
    ) -> None:
        node = server.node(ssh_common_args=f"-F {configuration} -J first")
        transport = SshTransport(forks=1)
        (before,) = run(transport, node)
        for pid in sessions(bastions[0]):
            os.kill(int(pid), signal.SIGKILL)

        results = [result for _ in range(3) for result in run(transport, node)]
        transport.close()

        assert isinstance(before, Completed)
        assert isinstance(results[-1], Completed), results[-1].problem


class TestProxyCommand:
    def test_a_process_is_the_connection_and_ends_with_it(self, server: Server, configuration: Path) -> None:
        proxy = f"ssh -F {configuration} -W %h:%p second"
        transport = SshTransport(forks=2)

        results = run(transport, *[server.node(ssh_common_args=f"-F {configuration} -o ProxyCommand='{proxy}'")] * 3)

        assert [result.stdout for result in results if isinstance(result, Completed)] == [b"hello\n"] * 3
        assert not [text for text in _command_lines() if proxy.partition(" -W")[0] in text]

    def test_its_error_is_quoted(self, server: Server, configuration: Path) -> None:
        proxy = "echo out of order >&2; exit 7 #"

        problem = lost(server.node(ssh_common_args=f"-F {configuration} -o 'ProxyCommand=sh -c \"{proxy}\"'")).problem

        assert problem.code == "ssh-proxy-failed"
        assert "ProxyCommand 'sh …' failed (exit status 7: out of order)" in problem.message

    def test_one_that_hangs_is_terminated_at_its_timeout(self, server: Server, configuration: Path) -> None:
        node = server.node(ssh_common_args=f"-F {configuration} -o ConnectTimeout=1 -o 'ProxyCommand=sleep 98765'")

        assert lost(node).problem.code == "ssh-timeout"
        assert not [text for text in _command_lines() if "sleep\00098765" in text]


def _command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text())
        except OSError:
            continue
    return found
