"""paramiko's SSH connections, changed for many connections at once and for connections through bastions.

sshd ends a whole connection, with all channels in it, if it gets data for a closed channel (OpenSSH, channels.c: "data
packet referred to nonexistent channel"). In paramiko, one thread may close a channel after another has checked it and
before that one sends its data. So sending and closing exclude each other on each channel through a bastion.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from paramiko.common import MSG_CHANNEL_CLOSE

from harbor_agent.transport.ssh.paramiko_import import paramiko

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOG = logging.getLogger("paramiko")
_OFFERS = frozenset({"kex_algo_list", "server_key_algo_list", "server_encrypt_algo_list", "server_mac_algo_list"})
_READ_AHEAD = 32768
# A bastion that accepts no data for longer is lost, and so is the connection whose channels the lock protects.
_SECONDS_TO_LOCK = 5.0
_SECONDS_FOR_WINDOW = 0.1


class _ReadAheadSocket:
    """A socket that reads all available data at once: paramiko reads each packet in two small pieces."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - a socket, or a channel of another connection
        """Read ahead from `connection`; everything else is passed through."""
        self._connection = connection
        self._buffer = b""

    def recv(self, size: int) -> bytes:
        """Return at most `size` bytes, as soon as there are any."""
        if not self._buffer:
            self._buffer = self._connection.recv(max(size, _READ_AHEAD))
        head, self._buffer = self._buffer[:size], self._buffer[size:]
        return head

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - likewise
        """Return the attribute of the connection."""
        return getattr(self._connection, name)


class _Packetizer(paramiko.packet.Packetizer):
    """paramiko's packetizer without its thread per connection that limits the handshake: `negotiate` does that."""

    def start_handshake(self, timeout: float) -> None:
        """Start no thread."""


def _handle_close(channel: Any, message: paramiko.Message) -> None:  # noqa: ANN401 - paramiko's inner parts
    with channel.transport.lock_channel(channel):
        channel._handle_close(message)  # noqa: SLF001 - as paramiko does


class SshClientTransport(paramiko.Transport):
    """paramiko's transport, which also keeps the server's offer of algorithms, and logs only for --debug."""

    _channel_handler_table: ClassVar[dict[int, Callable[..., None]]] = {
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined]  # noqa: SLF001 - likewise
        MSG_CHANNEL_CLOSE: _handle_close,
    }

    def __init__(self, connection: object) -> None:
        """Use `connection`, a socket or a channel of another connection."""
        super().__init__(connection)  # type: ignore[arg-type]  # a channel has all that is used of a socket
        self.packetizer = _Packetizer(_ReadAheadSocket(self.sock))  # type: ignore[arg-type]  # likewise
        self.server_algorithms: dict[str, list[str]] = {}
        self._channel_locks: WeakKeyDictionary[paramiko.Channel, Lock] = WeakKeyDictionary()

    def add_channel_lock(self, channel: paramiko.Channel) -> None:
        """Let sending over `channel` and closing it exclude each other from now on."""
        self._channel_locks[channel] = Lock()

    @contextmanager
    def lock_channel(self, channel: paramiko.Channel) -> Iterator[None]:
        """Keep other threads from sending over `channel` and from closing it; does nothing for one without a lock."""
        lock = self._channel_locks.get(channel)
        is_ours = lock is not None and lock.acquire(timeout=_SECONDS_TO_LOCK)
        try:
            yield
        finally:
            if lock is not None and is_ours:
                lock.release()

    def _log(self, level: int, msg: str | list[str], *args: object) -> None:
        """Log only for --debug: problems are returned."""
        if _LOG.isEnabledFor(level) and _LOG.level == logging.DEBUG:
            super()._log(level, msg, *args)  # type: ignore[misc]  # one of paramiko's inner parts

    def _parse_debug(self, m: paramiko.Message) -> None:
        """Ignore sshd's debug messages: it sends one for each key in authorized_keys."""

    def _really_parse_kex_init(self, m: paramiko.Message, ignore_first_byte: bool = False) -> dict[str, list[str]]:  # noqa: FBT001, FBT002 - paramiko's signature
        parsed: dict[str, list[str]] = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]
        if not self.server_algorithms:
            # Copies: paramiko removes some names while it reads on.
            self.server_algorithms = {name: list(value) for name, value in parsed.items() if name in _OFFERS}
        return parsed


class ForwardedChannel:
    """A channel of a bastion in place of a socket, for the connection through it."""

    def __init__(self, bastion: SshClientTransport, channel: paramiko.Channel) -> None:
        """Send through `channel`, which `bastion` has opened; everything else is passed through."""
        self._bastion = bastion
        self._channel = channel
        bastion.add_channel_lock(channel)

    def send(self, data: bytes) -> int:
        """Send as much as the window takes and return how much. Raises TimeoutError if it takes nothing for now."""
        with self._bastion.lock_channel(self._channel):
            if self._channel.send_ready():
                return self._channel.send(data)
        with self._channel.lock:
            self._channel.out_buffer_cv.wait(_SECONDS_FOR_WINDOW)
        raise TimeoutError

    def close(self) -> None:
        """Close the channel after the data that is being sent."""
        with self._bastion.lock_channel(self._channel):
            self._channel.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - likewise
        """Return the attribute of the channel."""
        return getattr(self._channel, name)
