"""--debug: what was sent to nodes and received from them, and the log of paramiko, as people may see it."""

from __future__ import annotations

import base64
import binascii
import logging
import re
from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_text

if TYPE_CHECKING:
    from collections.abc import Callable

# Words in base64 of four characters and more; a path does not match.
_ENCODED = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+][A-Za-z0-9+/]{3,}(?:[A-Za-z0-9+/]{4})*={0,2}(?![\w+/=-])")
_DIGEST = re.compile(r"[0-9a-f]{32,}")
_LEAST_LENGTH = 8
_LONG = 40


def show_debug_log(print_line: Callable[[str], None]) -> None:
    """Print, from now on, what transports and paramiko log; any thread may do so."""
    handler = _Handler(print_line)
    for name in ("harbor_agent", "paramiko"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)
        logger.propagate = False


class _Handler(logging.Handler):
    """Prints each record, with secrets masked."""

    def __init__(self, print_line: Callable[[str], None]) -> None:
        super().__init__()
        self._print_line = print_line

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record; a multi-line one is indented."""
        origin = record.name.partition(".")[0].replace("harbor_agent", "nodes")
        text = mask_log(record.getMessage()).rstrip("\n").replace("\n", "\n    ")
        self._print_line(f"debug: {origin}: {text}")


def mask_log(text: str) -> str:
    """Return the text with base64 decoded, and with secrets masked in it and in what was encoded."""
    return mask_text(_ENCODED.sub(_show_decoded, text).encode(errors="backslashreplace"))


def _show_decoded(match: re.Match[str]) -> str:
    word = match[0]
    if len(word) < _LEAST_LENGTH or len(word) % 4 or _DIGEST.fullmatch(word):
        return word
    try:
        content = base64.b64decode(word, validate=True)
    except binascii.Error:
        return word
    try:
        text = content.decode()
    except UnicodeDecodeError:
        # A long one is encoded content; a short one is a word.
        return f"<{len(content)} bytes>" if len(word) >= _LONG else word
    if not all(character.isprintable() or character in "\n\t" for character in text):
        return f"<{len(content)} bytes>" if len(word) >= _LONG else word
    shown = mask_log(text)
    return f"<{shown}>" if "\n" not in shown else "<\n" + "".join(f"  {line}\n" for line in shown.splitlines()) + ">"
