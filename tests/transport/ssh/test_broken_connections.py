"""Nodes that are dead, slow or not SSH servers, and connections that break."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.program import Program
from harbor_agent.transport.protocol import Completed, Job, Lost
from harbor_agent.transport.ssh.transport import SshTransport
from tests.transport.relay import answering, relay
from tests.transport.running import WHO, completed, lost, run, wait_for
from tests.transport.sshd import free_port, public_folder, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transport.sshd import Server

pytestmark = pytest.mark.needs("sshd", "root")


class TestNodesThatDoNotAnswer:
    def test_a_closed_port(self, server: Server) -> None:
        assert lost(server.node(port=free_port()), server.known_hosts).problem.code == "ssh-refused"

    def test_a_name_that_does_not_resolve(self, server: Server) -> None:
        assert lost(server.node(address="node.invalid"), server.known_hosts).problem.code == "ssh-name-unknown"

    def test_every_address_of_a_name_is_tried(self, server: Server, tmp_path: Path) -> None:
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(f"[localhost]:{server.port} {server.host_key()}\n")

        completed(server.node(address="localhost"), known_hosts)

    def test_a_silent_listener_costs_its_own_timeout_only(self, server: Server) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            dead = Job(node=server.node(name="dead", port=silent.getsockname()[1]), program=WHO)
            alive = [Job(node=server.node(), program=WHO) for _ in range(3)]
            transport = SshTransport(forks=2, connect_timeout=3, known_hosts=[server.known_hosts])
            begin = time.monotonic()
            results = list(transport.run([dead, *alive]))

        assert [type(result) for result in results] == [Completed, Completed, Completed, Lost]
        assert results[3].problem.code == "ssh-timeout"
        assert time.monotonic() - begin < 6

    @pytest.mark.parametrize(
        "said",
        [
            b"",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"SSH-2.0-x\r\n",
            b"SSH-2.0-x\r\n" + b"\0\0\0\x0c\x0a\x14" + b"\xff" * 60,
            b"SSH-2.0-x\r\n" + b"\xff" * 4000,
            b"SSH-2.0-x\r\n" + b"\0\0\0\x1c\x0a\x14" + b"\0" * 26,
        ],
    )
    def test_a_server_that_is_not_sshd(self, server: Server, said: bytes) -> None:
        with answering(said) as port:
            result = lost(server.node(port=port), server.known_hosts)

        assert (result.problem.code, result.started) in {("ssh-closed", False), ("ssh-algorithms", False)}

    def test_a_server_with_only_weak_algorithms(self) -> None:
        old_lists = "Ciphers aes128-cbc,3des-cbc\nHostKeyAlgorithms ssh-rsa\nMACs hmac-sha1"
        with public_folder() as home, serving(home, extra="Ciphers aes128-cbc,3des-cbc") as old:
            result = lost(old.node(), old.known_hosts)
        with public_folder() as home, serving(home, extra=old_lists) as older:
            older.known_hosts.write_text(f"{older.known_as} {older.host_key('rsa')}\n")
            all_kinds = lost(older.node(), older.known_hosts)
            options = all_kinds.problem.hint.partition("ansible_ssh_common_args='")[2].removesuffix("'")
            login = ["-p", str(older.port), "-i", str(older.key), "-o", f"UserKnownHostsFile={older.known_hosts}"]
            command = [
                "ssh",
                "-F",
                "none",
                "-o",
                "BatchMode=yes",
                *login,
                *options.split(),
                f"root@{older.address}",
                "id",
            ]
            by_hand = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

        assert "-o Ciphers=+aes128-cbc,3des-cbc" in options
        assert "-o HostKeyAlgorithms=+ssh-rsa" in options
        assert "uid=0" in by_hand.stdout, f"the way in the hint must work: {by_hand.stderr}"
        assert "--transport ansible" in result.problem.hint

        assert result.problem.code == "ssh-algorithms"
        assert "cipher: the server offers only aes128-cbc, 3des-cbc" in result.problem.message
        assert "OpenSSH_" in result.problem.message

    def test_an_unsupported_address_family_is_skipped(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look_up = socket.getaddrinfo

        def with_another_family(_host: str, *rest: object, **more: object) -> list[tuple[object, ...]]:
            (family, kind, protocol, name, place), *_ = look_up("127.0.0.1", *rest, **more)  # type: ignore[arg-type]
            return [(99, kind, protocol, name, place), (family, kind, protocol, name, place)]

        monkeypatch.setattr(socket, "getaddrinfo", with_another_family)

        # The server was reached: its key is not known under this name.
        assert lost(server.node(address="both.test"), tmp_path / "empty").problem.code == "host-key-unknown"


class TestCuts:
    @pytest.fixture
    def known_hosts(self, server: Server, tmp_path: Path) -> Path:
        """Know the server at every port: that of a relay is another one each time."""
        path = tmp_path / "known_hosts"
        path.write_text(f"127.0.0.1 {server.host_key()}\n")
        return path

    def test_in_every_phase_of_the_protocol(self, server: Server, known_hosts: Path) -> None:
        # The program waits for a while behind its output, so that what it said and its exit status come apart.
        program = Program(stdin=b"echo out; sleep 0.2; exit 3")
        with relay(server.port) as whole:
            complete = run(server.node(port=whole.port), known_hosts, program=program)
        assert isinstance(complete, Completed), complete.problem
        assert (complete.rc, complete.stdout) == (3, b"out\n")
        # Banner, key exchange, new keys, service, login, channel, request, output, status and close come one by one.
        assert len(whole.passed) >= 8

        results = []
        for after in [0, 5, *whole.passed, whole.passed[0] + 7, whole.passed[-1] - 1]:
            with relay(server.port, after=after) as cut:
                begin = time.monotonic()
                results.append(run(server.node(port=cut.port), known_hosts, program=program, timeout=15))
                assert time.monotonic() - begin < 15, f"cut after {after} bytes"

        before = [result.problem.code for result in results if isinstance(result, Lost) and not result.started]
        during = [result.problem.code for result in results if isinstance(result, Lost) and result.started]
        assert set(before) == {"ssh-closed"}
        assert set(during) == {"connection-lost"}
        assert len(before) >= 6
        # An end that was seen counts however the connection ended, and no other is reported. Whether one of the cuts
        # falls behind it depends on how the server packs its last messages.
        seen = {(result.rc, result.stdout) for result in results if isinstance(result, Completed)}
        assert seen <= {(3, b"out\n")}

    def test_while_the_program_runs_the_outcome_is_unknown(
        self, server: Server, known_hosts: Path, tmp_path: Path
    ) -> None:
        marker = tmp_path / "running"
        program = Program(stdin=b'touch "$1"; sleep 30', arguments=(str(marker),))
        with relay(server.port) as network:
            watcher = threading.Thread(target=lambda: (wait_for(marker), network.cut()))
            watcher.start()
            result = run(server.node(port=network.port), known_hosts, program=program)
            watcher.join()

        assert isinstance(result, Lost)
        assert (result.problem.code, result.started) == ("connection-lost", True)

    def test_in_the_middle_of_a_stream(self, server: Server, known_hosts: Path) -> None:
        program = Program(stdin=b"head -c 5000000 /dev/zero >&2; exit 0")
        with relay(server.port, after=2_000_000) as network:
            result = run(server.node(port=network.port), known_hosts, program=program)

        assert isinstance(result, Lost)
        assert (result.problem.code, result.started) == ("connection-lost", True)

    def test_a_slow_network_loses_nothing(self, server: Server, known_hosts: Path) -> None:
        program = Program(stdin=b"head -c 100000 /dev/zero; echo >&2 err; exit 4")
        with relay(server.port, delay=0.02, piece=4000) as network:
            result = run(server.node(port=network.port), known_hosts, program=program, connect_timeout=10, timeout=60)

        assert isinstance(result, Completed), result.problem
        assert (result.rc, len(result.stdout), result.stderr) == (4, 100000, b"err\n")
