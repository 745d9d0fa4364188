"""SSH agents: the keys that they hold, and logging in with one (paramiko).

As with OpenSSH's client, an agent signs only for a server that takes the key (decision 0028).
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
    """An agent at a path of its own: paramiko's own looks at SSH_AUTH_SOCK alone."""

    def __init__(self, path: str) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(_SECONDS_FOR_AGENT)
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined]  # the types leave it out
            # From here on somebody may have to touch a key, or confirm its use.
            connection.settimeout(SECONDS_TO_ANSWER)
        except (paramiko.SSHException, OSError):
            connection.close()
            raise

    def close(self) -> None:
        self._close()  # type: ignore[attr-defined]  # the types leave it out


class _HeldKey(paramiko.AgentKey):
    """A key under the bytes that the agent knows it by: of RSA's certificates paramiko keeps only the plain key."""

    def asbytes(self) -> bytes:
        return self.blob

    def sign_ssh_data(self, data: Any, algorithm: str | None = None) -> paramiko.Message:  # noqa: ANN401 - paramiko's
        # What it is signed with is the same with a certificate, and only the plain names have flags (RFC 8332).
        return super().sign_ssh_data(data, algorithm and algorithm.removesuffix(_CERTIFICATE))


@contextmanager
def agent_keys(path: str) -> Iterator[tuple[paramiko.PKey, ...]]:
    """Open the agent at the socket `path` for a while; an absent or broken one has no keys."""
    if not path or not Path(path).is_socket():
        yield ()
        return
    try:
        agent = _Agent(path)
    except (paramiko.SSHException, OSError):
        yield ()
        return
    try:
        yield tuple(_HeldKey(agent, key.blob, key.comment) for key in agent.get_keys())
    finally:
        agent.close()


def log_in_with_agent(transport: paramiko.Transport, user: str, key: paramiko.AgentKey) -> list[str]:
    """Log in as paramiko's auth_publickey does, with the same result and errors.

    Raises paramiko.SSHException as well where the agent does not sign; the connection is as good as before then.
    """
    event = Event()
    handler = _AskingFirst(transport)
    transport.auth_handler = handler
    handler.auth_publickey(user, key, event)
    return handler.wait_for_response(event)


class _AskingFirst(paramiko.auth_handler.AuthHandler):
    """paramiko's side of a login with a public key, in two steps."""

    @property
    def _client_handler_table(self) -> dict[int, Any]:
        table: dict[int, Any] = super()._client_handler_table  # type: ignore[misc]  # the types leave it out
        return {**table, MSG_SERVICE_ACCEPT: self._ask, MSG_USERAUTH_PK_OK: self._sign}

    def _ask(self, _accepted: paramiko.Message) -> None:
        self._send(None)

    def _sign(self: Any, _taken: paramiko.Message) -> None:  # the types leave out what paramiko's handlers are made of
        algorithm, _ = self._algorithm_and_key()
        data = self._get_session_blob(self.private_key, _SERVICE, self.username, algorithm)
        try:
            signature = self.private_key.sign_ssh_data(data, algorithm)
        except (paramiko.SSHException, OSError):
            self.transport.saved_exception = paramiko.SSHException("the agent did not sign with it")
            self.abort()
            return
        self._send(signature)

    def _send(self: Any, signature: bytes | None) -> None:
        """Send the request in the words of paramiko's own; without a signature it asks whether the key would do."""
        algorithm, key = self._algorithm_and_key()
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

    def _algorithm_and_key(self: Any) -> tuple[str, Any]:
        kind, key = self._get_key_type_and_bits(self.private_key)
        return self._finalize_pubkey_algorithm(kind), key
