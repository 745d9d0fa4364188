"""SSH connections as paramiko makes them, with what it lacks for many at once, and through bastions.

sshd ends a whole connection, with all that goes through it, on data for a channel that is closed (OpenSSH, channels.c:
"data packet referred to nonexistent channel"). In paramiko one thread may close a channel between the look of another
at it and the data that this one sends. So whatever goes through a bastion is sent, and closed, in order.
"""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from paramiko.common import MSG_CHANNEL_CLOSE

from harbor_agent.transport.ssh.paramiko_import import paramiko

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OFFERS = frozenset({"kex_algo_list", "server_key_algo_list", "server_encrypt_algo_list", "server_mac_algo_list"})
_READ_AHEAD = 32768
# Whoever waits longer has a bastion before them that takes nothing any more, so there is nothing to be kept.
_SECONDS_FOR_ORDER = 5.0
_SECONDS_FOR_WINDOW = 0.1


class _Ahead:
    """A socket that is read as far as there is something: paramiko asks for each packet twice, and for little."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - a socket, or a channel of another connection
        """Read from `connection`, which does everything else by itself."""
        self._connection = connection
        self._read = b""

    def recv(self, size: int) -> bytes:
        """Return at most `size` bytes, as soon as there are any."""
        if not self._read:
            self._read = self._connection.recv(max(size, _READ_AHEAD))
        head, self._read = self._read[:size], self._read[size:]
        return head

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - likewise
        """Leave the rest to the connection."""
        return getattr(self._connection, name)


class _Packetizer(paramiko.packet.Packetizer):
    """paramiko's, without the thread that it starts for each connection to time the handshake: `negotiate` does."""

    def start_handshake(self, timeout: float) -> None:
        """Start nothing."""


def _end_in_order(channel: Any, message: paramiko.Message) -> None:  # noqa: ANN401 - paramiko's inner parts
    with channel.transport.in_order(channel):
        channel._handle_close(message)  # noqa: SLF001 - as paramiko does


class SshClientTransport(paramiko.Transport):
    """paramiko's, which remembers what the other end offered, and spends nothing on logs that nobody sees."""

    _channel_handler_table: ClassVar[dict[int, Callable[..., None]]] = {
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined]  # noqa: SLF001 - likewise
        MSG_CHANNEL_CLOSE: _end_in_order,
    }

    def __init__(self, connection: object) -> None:
        """Speak over `connection`, a socket or a channel of another connection."""
        super().__init__(connection)  # type: ignore[arg-type]  # a channel has all that is used of a socket
        self.packetizer = _Packetizer(_Ahead(self.sock))  # type: ignore[arg-type]  # likewise
        self.offered: dict[str, list[str]] = {}
        self._orders: WeakKeyDictionary[paramiko.Channel, Lock] = WeakKeyDictionary()

    def order(self, channel: paramiko.Channel) -> None:
        """Have what is sent over `channel` sent before it is closed, or not at all."""
        self._orders[channel] = Lock()

    @contextmanager
    def in_order(self, channel: paramiko.Channel) -> Iterator[None]:
        """Keep others from sending over `channel`, and from closing it, meanwhile."""
        lock = self._orders.get(channel)
        is_ours = lock is not None and lock.acquire(timeout=_SECONDS_FOR_ORDER)
        try:
            yield
        finally:
            if lock is not None and is_ours:
                lock.release()

    def _log(self, level: int, msg: str | list[str], *args: object) -> None:
        """Log nothing: everything worth telling is in a Problem."""

    def _parse_debug(self, m: paramiko.Message) -> None:
        """Leave what sshd says for its own debugging unread: for each key in authorized_keys it is a message."""

    def _really_parse_kex_init(self, m: paramiko.Message, ignore_first_byte: bool = False) -> dict[str, list[str]]:  # noqa: FBT001, FBT002 - paramiko's signature
        parsed: dict[str, list[str]] = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]
        if not self.offered:
            # Copies: paramiko takes some words out while it reads on.
            self.offered = {name: list(value) for name, value in parsed.items() if name in _OFFERS}
        return parsed


class Forwarded:
    """A channel of a bastion in a socket's place, for the connection that goes through it."""

    def __init__(self, bastion: SshClientTransport, channel: paramiko.Channel) -> None:
        """Send through `channel`, which `bastion` has opened; the channel does everything else by itself."""
        self._bastion = bastion
        self._channel = channel
        bastion.order(channel)

    def send(self, data: bytes) -> int:
        """Send as much as the other end takes, return how much. Raises TimeoutError where it takes none for now."""
        with self._bastion.in_order(self._channel):
            if self._channel.send_ready():
                return self._channel.send(data)
        with self._channel.lock:
            self._channel.out_buffer_cv.wait(_SECONDS_FOR_WINDOW)
        raise TimeoutError

    def close(self) -> None:
        """Close the channel once what is being sent is sent."""
        with self._bastion.in_order(self._channel):
            self._channel.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - likewise
        """Leave the rest to the channel."""
        return getattr(self._channel, name)
