"""SSH agents: their keys, and logging in with one.

As with OpenSSH's client, an agent signs only for a server that accepts the key (decision 0028).
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from paramiko.common import MSG_SERVICE_ACCEPT, MSG_USERAUTH_PK_OK, cMSG_USERAUTH_REQUEST

from harbor_agent.transport.ssh.paramiko_import import paramiko

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS_TO_ANSWER = 300.0
_SECONDS_FOR_AGENT = 10.0
_CERTIFICATE = "-cert-v01@openssh.com"
_SERVICE = "ssh-connection"


class _Agent(paramiko.agent.AgentSSH):
    """An agent at any path: paramiko's own client supports only SSH_AUTH_SOCK."""

    def __init__(self, path: str) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(_SECONDS_FOR_AGENT)
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined]  # the types leave it out
            # From here on the user may have to touch a key, or confirm its use.
            connection.settimeout(SECONDS_TO_ANSWER)
        except (paramiko.SSHException, OSError):
            connection.close()
            raise

    def close(self) -> None:
        self._close()  # type: ignore[attr-defined]  # the types leave it out


class _AgentKey(paramiko.AgentKey):
    """A key with the bytes that identify it to the agent: of an RSA certificate, paramiko keeps only the plain key."""

    def asbytes(self) -> bytes:
        return self.blob

    def sign_ssh_data(self, data: Any, algorithm: str | None = None) -> paramiko.Message:  # noqa: ANN401 - paramiko's
        # A certificate does not change the signature, and only the plain names have flags (RFC 8332).
        return super().sign_ssh_data(data, algorithm and algorithm.removesuffix(_CERTIFICATE))


@contextmanager
def open_agent(path: str) -> Iterator[tuple[paramiko.PKey, ...]]:
    """Yield the keys of the agent at the socket `path`; a missing or broken agent has none."""
    if not path or not Path(path).is_socket():
        yield ()
        return
    try:
        agent = _Agent(path)
    except (paramiko.SSHException, OSError):
        yield ()
        return
    try:
        yield tuple(_AgentKey(agent, key.blob, key.comment) for key in agent.get_keys())
    finally:
        agent.close()


def log_in_with_agent(transport: paramiko.Transport, user: str, key: paramiko.AgentKey) -> list[str]:
    """Log in like paramiko's auth_publickey, with the same result and errors.

    Also raises paramiko.SSHException if the agent does not sign; the connection is still usable then.
    """
    event = Event()
    handler = _QueryFirstHandler(transport)
    transport.auth_handler = handler
    handler.auth_publickey(user, key, event)
    return handler.wait_for_response(event)


class _QueryFirstHandler(paramiko.auth_handler.AuthHandler):
    """paramiko's public key login in two steps: a query, then the signature (RFC 4252, section 7)."""

    @property
    def _client_handler_table(self) -> dict[int, Any]:
        table: dict[int, Any] = super()._client_handler_table  # type: ignore[misc]  # the types leave it out
        return {**table, MSG_SERVICE_ACCEPT: self._send_query, MSG_USERAUTH_PK_OK: self._sign}

    def _send_query(self, _message: paramiko.Message) -> None:
        self._send_request(None)

    def _sign(self: Any, _message: paramiko.Message) -> None:  # the types leave out the parts of paramiko's handlers
        algorithm, _ = self._select_algorithm()
        data = self._get_session_blob(self.private_key, _SERVICE, self.username, algorithm)
        try:
            signature = self.private_key.sign_ssh_data(data, algorithm)
        except (paramiko.SSHException, OSError):
            self.transport.saved_exception = paramiko.SSHException("the agent refused to sign")
            self.abort()
            return
        self._send_request(signature)

    def _send_request(self: Any, signature: bytes | None) -> None:
        """Send the same request as paramiko; without a signature it queries whether the key is acceptable."""
        algorithm, key = self._select_algorithm()
        request = paramiko.Message()
        request.add_byte(cMSG_USERAUTH_REQUEST)
        for text in (self.username, _SERVICE, self.auth_method):
            request.add_string(text)
        request.add_boolean(signature is not None)
        request.add_string(algorithm)
        request.add_string(key)
        if signature is not None:
            request.add_string(signature)
        self.transport._send_message(request)  # noqa: SLF001 - as paramiko does

    def _select_algorithm(self: Any) -> tuple[str, Any]:
        kind, key = self._get_key_type_and_bits(self.private_key)
        return self._finalize_pubkey_algorithm(kind), key
