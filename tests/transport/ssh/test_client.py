"""What goes through a bastion, at the moments at which threads get in each other's way."""

from __future__ import annotations

import socket
from contextlib import closing
from threading import Event, Thread
from typing import TYPE_CHECKING

import paramiko
import pytest
from paramiko.common import MSG_CHANNEL_DATA

from harbor_agent.transport.ssh.client import ForwardedChannel, SshClientTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transport.sshd import Server

pytestmark = pytest.mark.needs("sshd", "root")

PATIENCE = 20.0


class Hesitant(SshClientTransport):
    """A connection whose data waits to be sent; other messages do not."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection)
        self.is_about_to_send = Event()
        self.may_send = Event()

    def _send_user_message(self, data: paramiko.Message) -> None:
        if data.asbytes()[0] == MSG_CHANNEL_DATA:
            self.is_about_to_send.set()
            assert self.may_send.wait(PATIENCE)
        super()._send_user_message(data)  # type: ignore[misc]  # paramiko's own


@pytest.fixture
def bastion(server: Server) -> Iterator[Hesitant]:
    with closing(Hesitant(socket.create_connection((server.address, server.port)))) as transport:
        transport.start_client(timeout=PATIENCE)
        transport.auth_publickey("root", paramiko.PKey.from_path(server.key))
        yield transport


def test_closing_a_channel_while_it_sends_does_not_end_the_bastion(bastion: Hesitant, server: Server) -> None:
    there = (server.address, server.port)
    forwarded = ForwardedChannel(bastion, bastion.open_channel("direct-tcpip", there, ("127.0.0.1", 0)))
    sender = Thread(target=forwarded.send, args=[b"SSH-2.0-late\r\n"])
    closer = Thread(target=forwarded.close)

    sender.start()
    assert bastion.is_about_to_send.wait(PATIENCE)
    closer.start()
    closer.join(0.5)  # as long as it likes to wait for what is being sent
    bastion.open_session(timeout=PATIENCE).close()  # sshd has heard all that was sent before
    bastion.may_send.set()
    for thread in (sender, closer):
        thread.join(PATIENCE)
        assert not thread.is_alive()

    # sshd ends the whole connection on data for a channel that is closed.
    bastion.open_session(timeout=PATIENCE).close()
    assert bastion.is_active()


def test_closing_a_channel_that_hangs_does_not_block(bastion: Hesitant, server: Server) -> None:
    there = (server.address, server.port)
    forwarded = ForwardedChannel(bastion, bastion.open_channel("direct-tcpip", there, ("127.0.0.1", 0)))
    sender = Thread(target=forwarded.send, args=[b"SSH-2.0-stuck\r\n"], daemon=True)
    closer = Thread(target=forwarded.close, daemon=True)

    sender.start()
    assert bastion.is_about_to_send.wait(PATIENCE)
    closer.start()
    closer.join(PATIENCE)

    assert not closer.is_alive()
    assert sender.is_alive()
    bastion.may_send.set()
    sender.join(PATIENCE)
