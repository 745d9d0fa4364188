"""A change of one file as a unified diff that people may see: whole, with mode and owner, secrets masked."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.errors import Problem
    from harbor_agent.model.plan import FileChange
    from harbor_agent.model.state import FileState

_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s\"'/]*@")
_PROXY_USERINFO = re.compile(r"(?i)(proxy[\"']?\s*[=:]\s*[\"']?)[^\s\"'/:=]+:[^\s\"'/]*@")
_SECRET = re.compile(
    r"(?i)(?P<name>[\w.-]*(?:password|passwd|token|secret|api[_-]?key|auth)[\"']?\s*[:=]\s*)"
    r"(?P<value>\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[^\s\"',\[\]{}]+)"
)
# Written to a terminal, these would move its cursor or worse.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def mask_userinfo(text: str) -> str:
    """Return the text with user and password of every URL replaced by `***`."""
    return _PROXY_USERINFO.sub(r"\1***@", _USERINFO.sub(r"\1***@", text))


def masked_problem(problem: Problem) -> Problem:
    """Return the problem with what it quotes as people may see it."""

    def shown(text: str) -> str:
        return masked_text(text.encode(errors="backslashreplace"))

    return replace(problem, message=shown(problem.message), hint=shown(problem.hint))


def masked_text(content: bytes) -> str:
    """Return the file's text for people: secrets masked, what is no text or would steer a terminal escaped."""
    text = mask_userinfo(content.decode("utf-8", "backslashreplace"))
    text = _SECRET.sub(_masked_value, text)
    return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


def unified_diff(change: FileChange) -> str:
    """Return the change as a unified diff with three lines of context, /dev/null for an absent side.

    The headers carry mode and owner, as `0644 0:0`. Lines whose only difference is masked look equal.
    """
    before, after = change.before, change.after
    if b"\0" in (before.content or b"") or b"\0" in (after.content or b""):
        return f"--- {_header(before)}\n+++ {_header(after)}\nBinary files differ\n"
    lines = difflib.unified_diff(_lines(before), _lines(after), _header(before), _header(after), lineterm="\n")
    shown = [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]
    return "".join(shown) or f"--- {_header(before)}\n+++ {_header(after)}\n"


def _masked_value(match: re.Match[str]) -> str:
    value = match["value"]
    quote = value[0] if value[0] in "\"'" else ""
    return f"{match['name']}{quote}***{quote}"


def _lines(state: FileState) -> list[str]:
    if not state.content:
        return []
    parts = masked_text(state.content).split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _header(state: FileState) -> str:
    return f"{state.path}\t{state.mode:04o} {state.uid}:{state.gid}" if state.exists else "/dev/null"
