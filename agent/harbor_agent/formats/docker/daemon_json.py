"""dockerd's configuration file, and edits of one key that keep everything else byte for byte."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from harbor_agent.formats.json_text import JsonKind, parse_json
from harbor_agent.formats.text import (
    CACHED_FILES,
    Edit,
    FormatError,
    apply_edits,
    decode,
    encode,
    find_line_end,
    find_line_number,
)

if TYPE_CHECKING:
    from harbor_agent.formats.json_text import JsonMember, JsonValue

INSECURE_REGISTRIES = "insecure-registries"
REGISTRY_MIRRORS = "registry-mirrors"
LIVE_RESTORE = "live-restore"
# The flag's name: dockerd accepts it as a key and ignores it.
DEAD_KEY = "insecure-registry"
_BYTE_ORDER_MARK = "\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonJson:
    """A daemon.json; `root` is None if the file is empty or blank.

    `has_mark` is whether it starts with a byte order mark; `text` is without it, and offsets are those in `text`.
    """

    text: str
    has_mark: bool
    root: JsonValue | None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys, each once."""
        return tuple(dict.fromkeys(member.key for member in self.members))

    @property
    def members(self) -> tuple[JsonMember, ...]:
        """The members of the object, duplicates included."""
        return self.root.members if self.root else ()

    def member(self, key: str) -> JsonMember | None:
        """Return the member that is in effect: of duplicates the last."""
        # rule DD-10
        return next((member for member in reversed(self.members) if member.key == key), None)

    def strings(self, key: str) -> tuple[str, ...]:
        """Return the strings of a list, none if the key is absent or null.

        Raises FormatError if the value is something else: dockerd would not start.
        """
        member = self.member(key)
        if member is None or member.value.kind is JsonKind.NULL:
            return ()
        value = member.value
        # rule DD-11
        if value.kind is not JsonKind.ARRAY or any(one.kind is not JsonKind.STRING for one in value.elements):
            reason = f"'{key}' must be a list of strings, not {value.kind}"
            if value.kind is JsonKind.ARRAY:
                reason = f"'{key}' must be a list of strings, but contains other values"
            raise FormatError(find_line_number(self.text, value.start), reason)
        return tuple(one.string for one in value.elements)

    def raw(self, key: str) -> str | None:
        """Return the source text of a key's value, such as `true`; None if the key is absent."""
        member = self.member(key)
        return self.text[member.value.start : member.value.end] if member else None

    def line(self, part: JsonMember | JsonValue) -> int:
        """Return the line (from 1) of a member or a value."""
        return find_line_number(self.text, part.start)

    def encode(self, text: str, *, keep_mark: bool) -> bytes:
        """Return `text` as the content of this file, with the byte order mark if it had one and `keep_mark` is set."""
        return encode((_BYTE_ORDER_MARK if self.has_mark and keep_mark else "") + text)


@lru_cache(maxsize=CACHED_FILES)
def parse_daemon_json(content: bytes) -> DaemonJson:
    """Parse the file. Raises FormatError if it is not a JSON object."""
    text = decode(content)
    has_mark = text.startswith(_BYTE_ORDER_MARK)
    text = text.removeprefix(_BYTE_ORDER_MARK)
    if not text.strip(" \t\r\n"):
        return DaemonJson(text=text, has_mark=has_mark, root=None)
    root = parse_json(text)
    if root.kind is not JsonKind.OBJECT:
        raise FormatError(find_line_number(text, root.start), f"must be an object, not {root.kind}")
    return DaemonJson(text=text, has_mark=has_mark, root=root)


def add_strings(document: DaemonJson, key: str, strings: list[str]) -> str:
    """Return the text with `strings` at the end of the list `key`, which is created if absent."""
    member = document.member(key)
    quoted = [json.dumps(string) for string in strings]
    if member is None:
        separator = "," if document.members and _is_compact(document.text, document.members[-1]) else ", "
        return _append_member(document, key, f"[{separator.join(quoted)}]")
    value = member.value
    if value.kind is not JsonKind.ARRAY or not value.elements:
        separator = "," if _is_compact(document.text, member) else ", "
        edit = Edit(start=value.start, end=value.end, text=f"[{separator.join(quoted)}]")
        return apply_edits(document.text, [edit])
    last = value.elements[-1]
    separator = _find_separator(document.text, member)
    edit = Edit(start=last.end, end=last.end, text="".join(separator + one for one in quoted))
    return apply_edits(document.text, [edit])


def replace_strings(document: DaemonJson, key: str, strings: list[str]) -> str:
    """Return the text with the value of `key` replaced by a list on one line."""
    if document.member(key) is None:
        return add_strings(document, key, strings)
    return set_value(document, key, "[" + ", ".join(json.dumps(string) for string in strings) + "]")


def set_value(document: DaemonJson, key: str, value: str) -> str:
    """Return the text with `value` (JSON) for `key`: in place of the value in effect, or else as a new last member."""
    member = document.member(key)
    if member is None:
        return _append_member(document, key, value)
    return apply_edits(document.text, [Edit(start=member.value.start, end=member.value.end, text=value)])


def remove_strings(document: DaemonJson, key: str, strings: set[str]) -> str:
    """Return the text without `strings` in the list `key`; the list is kept even if empty."""
    member = document.member(key)
    if member is None:
        return document.text
    elements = member.value.elements
    kept = [one for one in elements if one.string not in strings]
    if not kept:
        return apply_edits(document.text, [Edit(start=member.value.start, end=member.value.end, text="[]")])
    edits = []
    follows_kept = False
    for index, one in enumerate(elements):
        if one.string not in strings:
            follows_kept = True
        elif follows_kept:
            edits.append(Edit(start=elements[index - 1].end, end=one.end))
        else:
            edits.append(Edit(start=one.start, end=elements[index + 1].start))
    return apply_edits(document.text, edits)


def remove_key(document: DaemonJson, key: str) -> str:
    """Return the text without any member `key` and its comma."""
    if document.root is None:
        return document.text
    members = document.members
    kept = [member for member in members if member.key != key]
    if not kept:
        return apply_edits(document.text, [Edit(start=document.root.start, end=document.root.end, text="{}")])
    edits = []
    follows_kept = False
    for index, member in enumerate(members):
        if member.key != key:
            follows_kept = True
        elif follows_kept:
            edits.append(Edit(start=members[index - 1].value.end, end=member.value.end))
        else:
            edits.append(Edit(start=member.start, end=members[index + 1].start))
    return apply_edits(document.text, edits)


def _append_member(document: DaemonJson, key: str, value: str) -> str:
    text, root, name = document.text, document.root, json.dumps(key)
    if root is None:
        raise FormatError(1, "an empty file is written from the template")
    if not root.members:
        # at removal, these blanks show that the object was empty and did not hold an empty list
        inner = f" {name}: {value} "
        return apply_edits(text, [Edit(start=root.start + 1, end=root.start + 1, text=inner)])
    last = root.members[-1]
    compact = _is_compact(text, last)
    colon, comma = (":", ",") if compact else (": ", ", ")
    before = text[(root.members[-2].value.end if len(root.members) > 1 else root.start + 1) : last.start]
    lines = re.search(r"(\r\n|\n|\r)[ \t]*\Z", before)
    gap = "," + lines.group() if lines else comma
    inner = f"{gap}{name}{colon}{value}"
    return apply_edits(text, [Edit(start=last.value.end, end=last.value.end, text=inner)])


def _is_compact(text: str, member: JsonMember) -> bool:
    return text[member.key_end : member.value.start] == ":"


def _find_separator(text: str, member: JsonMember) -> str:
    """Return the text between two elements of the list, in its style."""
    elements = member.value.elements
    if len(elements) > 1:
        between = text[elements[-2].end : elements[-1].start]
        return between if between.count(",") == 1 and not between.strip(", \t\r\n") else ", "
    lead = text[member.value.start + 1 : elements[0].start]
    if "\n" in lead or "\r" in lead:
        return "," + lead[lead.index(find_line_end(lead)) :]
    return "," if _is_compact(text, member) else ", "
