"""What people may see of a text: passwords masked, control characters escaped."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.errors import Problem

_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s\"'/]*@")
_PROXY_USERINFO = re.compile(r"(?i)(proxy[\"']?\s*[=:]\s*[\"']?)[^\s\"'/:=]+:[^\s\"'/]*@")
_SECRET = re.compile(
    r"(?i)(?P<name>[\w.-]*(?:password|passwd|token|secret|api[_-]?key|auth|authorization|cookie)[\"']?\s*[:=]\s*)"
    # a list is the value of a header in hosts.toml
    r"(?P<value>\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|\[[^\[\]{}]+\]|[^\s\"',\[\]{}]+)"
)
_PRIVATE_KEY = re.compile(
    r"(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----).*?(-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----|\Z)", re.DOTALL
)
_BYTES_AS_TEXT = re.compile("[\xc2-\xf4][\x80-\xbf][\x80-\xff]*")
# Written to a terminal, these would move its cursor or worse.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def mask_userinfo(text: str) -> str:
    """Return the text with user and password of every URL replaced by `***`."""
    return _PROXY_USERINFO.sub(r"\1***@", _USERINFO.sub(r"\1***@", text))


def mask_problem(problem: Problem) -> Problem:
    """Return the problem with what it quotes as people may see it."""

    def shown(text: str) -> str:
        return mask_text(_to_bytes(_BYTES_AS_TEXT.sub(_decode_bytes, text)))

    return replace(problem, message=shown(problem.message), hint=shown(problem.hint))


def mask_text(content: bytes) -> str:
    """Return the file's text for people: secrets masked, what is no text or would steer a terminal escaped."""
    text = mask_userinfo(content.decode("utf-8", "backslashreplace"))
    text = _SECRET.sub(_masked_value, _PRIVATE_KEY.sub("\\1\n***\n\\2", text))
    return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


def _decode_bytes(match: re.Match[str]) -> str:
    """Return the characters of bytes that `formats.text.decode` made one character each; other text as it is."""
    try:
        return match[0].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return match[0]


def _to_bytes(text: str) -> bytes:
    """Return text in UTF-8, with surrogates as the bytes that they stand for, if there are any."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace")


def _masked_value(match: re.Match[str]) -> str:
    value = match["value"]
    if value[0] == "[":
        return f"{match['name']}[***]"
    quote = value[0] if value[0] in "\"'" else ""
    return f"{match['name']}{quote}***{quote}"
