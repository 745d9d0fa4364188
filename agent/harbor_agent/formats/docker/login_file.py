"""The file in which docker and kubelet keep logins (config.json), edited so that logins of others stay as written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harbor_agent.formats.docker.daemon_json import parse_daemon_json, remove_key, set_value
from harbor_agent.formats.text import FormatError, encode

if TYPE_CHECKING:
    from harbor_agent.formats.docker.daemon_json import DaemonJson

_AUTHS = "auths"
# Neither docker nor kubelet sends the address to the registry, so it says who wrote the login.
_MARK = "harbor-agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLogin:
    """A login in the file: `auth` in base64 ("" in another form), and whether this tool wrote it."""

    auth: str = field(repr=False)
    is_ours: bool


def find_login(content: bytes, entry: str) -> FoundLogin | None:
    """Return the login for a registry. Raises FormatError for content that is not such a file."""
    auths = _parse_auths(parse_daemon_json(content))
    key = _find_key(auths, entry)
    if auths is None or key is None:
        return None
    value = json.loads(auths.raw(key) or "null")
    login = value if isinstance(value, dict) else {}
    return FoundLogin(auth=str(login.get("auth", "")), is_ours=_is_own(value))


def add_login(content: bytes, entry: str, auth: str) -> bytes:
    """Return the content with the login (base64) for a registry, in place of an earlier one. Raises FormatError."""
    value = json.dumps({"auth": auth, "email": _MARK})
    document = parse_daemon_json(content)
    if document.root is None:
        return f"{{{json.dumps(_AUTHS)}: {{{json.dumps(entry)}: {value}}}}}\n".encode()
    auths = _parse_auths(document)
    if auths is None:
        # Without blanks inside the braces: that is how a removal knows that there was no such member.
        added = f"{{{json.dumps(entry)}: {value}}}"
    else:
        added = set_value(auths, _find_key(auths, entry) or entry, value)
    return document.encode(set_value(document, _AUTHS, added), keep_mark=True)


def remove_login(content: bytes, entry: str) -> bytes:
    """Return the content without the login for a registry: the one from before `add_login`. Raises FormatError."""
    document = parse_daemon_json(content)
    auths = _parse_auths(document)
    key = _find_key(auths, entry)
    if auths is None or key is None:
        return content
    if len(auths.keys) == 1 and auths.text.startswith('{"'):
        return document.encode(remove_key(document, _AUTHS), keep_mark=True)
    return document.encode(set_value(document, _AUTHS, remove_key(auths, key)), keep_mark=True)


def has_own_login(content: bytes) -> bool:
    """Whether any login in the file is one that this tool wrote. Raises FormatError."""
    auths = _parse_auths(parse_daemon_json(content))
    values = (json.loads(auths.raw(key) or "null") for key in auths.keys) if auths else ()
    return any(_is_own(value) for value in values)


def is_empty(content: bytes) -> bool:
    """Whether nothing is in the file. Raises FormatError."""
    return not parse_daemon_json(content).keys


def _parse_auths(document: DaemonJson) -> DaemonJson | None:
    text = document.raw(_AUTHS)
    try:
        return None if text is None or text == "null" else parse_daemon_json(encode(text))
    except FormatError as error:
        raise FormatError(1, f"'{_AUTHS}' {error.reason}") from None


def _is_own(login: object) -> bool:
    return isinstance(login, dict) and login.get("email") == _MARK


def _find_key(auths: DaemonJson | None, entry: str) -> str | None:
    """Return the key of a registry as it is written, with a scheme or without, but not one for a path below it."""
    for key in auths.keys if auths else ():
        host, _, path = (key.partition("://")[2] or key).partition("/")
        if host == entry and path.strip("/") in ("", "v1", "v2"):
            return key
    return None
