"""Calls to a TCP server as a node reaches it, through its sshd: nothing runs on the node for that.

The server is dnsmasq, a stand-in for CoreDNS, on an address that only the node has.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from harbor_agent.formats.dns_message import build_question, is_complete, parse_answer
from harbor_agent.model.inventory import Node
from harbor_agent.model.result import Unanswered
from harbor_agent.transport.calls import Call, CallJob
from harbor_agent.transport.local import LocalTransport
from harbor_agent.transport.ssh.transport import SshTransport
from tests.lab.dns_node import CLUSTER_DNS, dns_node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.dns_node import DnsNode

pytestmark = pytest.mark.needs("sshd", "root", "dnsmasq")


@pytest.fixture(scope="module")
def node() -> Iterator[DnsNode]:
    with dns_node() as running:
        yield running


def build_call(address: str = CLUSTER_DNS, port: int = 53) -> Call:
    return Call(address=address, port=port, content=build_question("harbor.lan", 4, 7), is_complete=is_complete)


def call(node: DnsNode, *calls: Call, **changes: object) -> tuple[bytes | Unanswered, ...]:
    transport = SshTransport(forks=1, connect_timeout=5, known_hosts=[node.server.known_hosts])
    (called,) = transport.call([CallJob(node=node.server.node(**changes), calls=calls)])
    transport.close()
    return called.answers


def test_one_connection_carries_every_call_and_a_server_that_is_not_there_is_silent(node: DnsNode) -> None:
    with node.serving_dns() as dns:
        dns.answer({"harbor.lan": "192.168.0.99"})
        first, refused, last = call(node, build_call(), build_call(port=54), build_call())
    assert isinstance(first, bytes)
    assert parse_answer(first, 7).addresses == {"192.168.0.99"}
    assert first == last
    assert isinstance(refused, Unanswered)
    assert refused.is_silent
    assert "10.0.0.10 port 54/TCP does not answer: Connect" in refused.reason


def test_a_server_that_hangs_up_is_silent(node: DnsNode) -> None:
    """sshd itself ends a connection whose client says something else than SSH."""
    address = node.server.address
    (silent,) = call(node, Call(address=address, port=22, content=b"x\r\n" * 99, is_complete=lambda _: False))
    assert isinstance(silent, Unanswered)
    assert silent.is_silent


def test_a_node_that_is_not_reached_was_not_asked(node: DnsNode) -> None:
    answers = call(node, build_call(), build_call(), address="127.0.0.1", port=9)
    for answer in answers:
        assert isinstance(answer, Unanswered)
        assert not answer.is_silent
        assert "node1" in answer.reason


def test_an_sshd_that_forwards_nothing_is_named_with_the_way_to_allow_it() -> None:
    with dns_node(extra="AllowTcpForwarding no") as node, node.serving_dns():
        (answer,) = call(node, build_call())
    assert isinstance(answer, Unanswered)
    assert not answer.is_silent
    assert answer.reason == "sshd of node1 does not allow forwarding (Administratively prohibited)"
    assert "AllowTcpForwarding" in answer.hint


def test_this_machine_calls_on_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    job = CallJob(node=Node(name="here", address="here", connection="local"), calls=(build_call("127.0.0.1", port),))
    for transport in (LocalTransport(), SshTransport(forks=1)):
        ((answer,),) = [called.answers for called in transport.call([job])]
        assert isinstance(answer, Unanswered)
        assert answer.is_silent
