"""The form in which a login is sent to a registry and stored in a secret (RFC 7617)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from harbor_agent.errors import UsageError
from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from harbor_agent.model.policy import Credentials


def encode_login(credentials: Credentials) -> Sensitive:
    """Return base64 of `username:password` in UTF-8.

    Raises UsageError for a user name with a colon, which RFC 7617 does not allow, and for text that is not valid
    Unicode (an undecodable byte in an environment variable).
    """
    name, colon, _ = credentials.username.partition(":")
    if colon:  # the rest is most likely a password
        raise UsageError.of(
            "credentials-username-invalid",
            f"the user name '{name}:…' contains a colon, which no registry login can contain",
            "specify user name and password separately",
        )
    try:
        login = f"{credentials.username}:{credentials.password.reveal()}".encode()
    except UnicodeEncodeError:  # its message would quote the login
        raise UsageError.of(
            "credentials-not-utf8",
            "the user name or password is not valid UTF-8",
            "check the encoding of the password file or environment variable",
        ) from None
    return Sensitive(base64.b64encode(login).decode("ascii"))
