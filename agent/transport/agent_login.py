"""Logging in with a key that an agent holds, as OpenSSH does: the agent signs only for a server that takes the key.

paramiko has it sign for every server (RFC 4252, section 7, allows both). That asks for a touch or a confirmation for
keys that the server does not know, and where the agent declines, it ends a connection that other keys may still open.
"""

from __future__ import annotations

from threading import Event
from typing import Any

from paramiko.common import MSG_SERVICE_ACCEPT, MSG_USERAUTH_PK_OK, cMSG_USERAUTH_REQUEST

from agent.transport.ssh_library import paramiko

_SERVICE = "ssh-connection"


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
        self._send(signed=False)

    def _sign(self, _taken: paramiko.Message) -> None:
        try:
            self._send(signed=True)
        except (paramiko.SSHException, OSError):
            self.transport.saved_exception = paramiko.SSHException("the agent did not sign with it")
            self.abort()

    def _send(self: Any, *, signed: bool) -> None:  # the types leave out what paramiko's handlers are made of
        """Send the request, with or without a signature, in the words of paramiko's own."""
        kind, public = self._get_key_type_and_bits(self.private_key)
        algorithm = self._finalize_pubkey_algorithm(kind)
        request = paramiko.Message()
        request.add_byte(cMSG_USERAUTH_REQUEST)
        for text in (self.username, _SERVICE, self.auth_method):
            request.add_string(text)
        request.add_boolean(signed)
        request.add_string(algorithm)
        request.add_string(public)
        if signed:
            data = self._get_session_blob(self.private_key, _SERVICE, self.username, algorithm)
            request.add_string(self.private_key.sign_ssh_data(data, algorithm))
        self.transport._send_message(request)  # noqa: SLF001 - as paramiko does
