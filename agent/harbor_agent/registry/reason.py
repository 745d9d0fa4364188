"""The reason that a server gives in the body of an answer, as one clean and short line."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST = 240
# Of a body, only its beginning is searched: a web page says the reason in its title or first heading.
_SEARCHED = 64 << 10
_MEMBERS = ("message", "error_description", "error", "detail", "reason", "title", "msg", "code")
_IGNORED = re.compile(r"<(script|style)\b.{0,20000}?</\1\s*>|<!--.{0,20000}?-->", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{1,1000})", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,2000}>")


def find_reason(body: bytes, hidden: Iterable[str] = ()) -> str:
    """Return the reason in a JSON document, a web page or a text, "" if there is none.

    Understands the registry API's `errors[].message`, Kubernetes' Status, OAuth's `error_description` and plain
    `message` or `error`. Control characters are removed, and each of `hidden` is masked.
    """
    text = body[:_SEARCHED].decode("utf-8", errors="replace").strip().removeprefix("\ufeff")
    if text[:1] in {"{", "["}:
        return clean_text("; ".join(dict.fromkeys(_find_in_json(body))), hidden)
    return clean_text(_find_in_page(text) if is_web_page(body) else text, hidden)


def is_web_page(body: bytes) -> bool:
    """Whether a body is HTML."""
    start = body[:1024].decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n").lower()
    return start.startswith(("<!doctype", "<html", "<head", "<body", "<center", "<h1", "<title", "<!--"))


def clean_text(text: str, hidden: Iterable[str] = ()) -> str:
    """Return foreign text on one line, without control or formatting characters, cut at 240 characters.

    Each of `hidden` that is a word of its own is masked.
    """
    for secret in sorted(filter(None, hidden), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", text)
    kept = "".join(" " if one.isspace() else one for one in text if one.isspace() or not _is_control(one))
    line = " ".join(kept.split()).rstrip(".")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def _find_in_json(body: bytes) -> Iterator[str]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    entries = document.get("errors", [document]) if isinstance(document, dict) else document
    for entry in (entries if isinstance(entries, list) else [entries])[:5]:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            yield next((value for name in _MEMBERS if isinstance(value := entry.get(name), str) and value.strip()), "")


def _find_in_page(text: str) -> str:
    text = _IGNORED.sub(" ", text)
    title = _TITLE.search(text)
    if title and title[1].strip():
        return html.unescape(title[1])
    return html.unescape(_TAG.sub(" ", text))
