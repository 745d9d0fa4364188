"""Characters that are not seen, or that change what is seen, made visible."""

from __future__ import annotations

import re

# Line feed and tab stay. The others move a terminal's cursor, end a line for some renderers, or reorder what is shown.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def show_invisible(text: str) -> str:
    """Return the text with such characters as escapes."""
    return _INVISIBLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
