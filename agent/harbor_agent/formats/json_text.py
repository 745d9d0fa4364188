"""JSON as a tree that knows where each value stands, so that one value can be edited and all else kept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from harbor_agent.formats.text import FormatError, encode, line_number

_BLANKS = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"')
_SCALAR = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_DEEPEST = 200


class JsonKind(StrEnum):
    """What a JSON value is."""

    OBJECT = "an object"
    ARRAY = "a list"
    STRING = "a string"
    SCALAR = "a number, true or false"
    NULL = "null"


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonValue:
    """A value from `start` up to `end` of the text. `string` is that of a STRING."""

    kind: JsonKind
    start: int
    end: int
    string: str = ""
    elements: tuple[JsonValue, ...] = ()
    members: tuple[JsonMember, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonMember:
    """`"key": value` in an object; `start` is that of the key's quote, `key_end` is behind its closing one."""

    key: str
    start: int
    key_end: int
    value: JsonValue


def parse_json(text: str, start: int = 0) -> JsonValue:
    """Read one JSON text that goes to the end. Raises FormatError with the line of what is none."""
    parser = _Parser(text)
    value = parser.value(parser.skip(start), 0)
    rest = parser.skip(value.end)
    if rest < len(text):
        raise parser.error(rest, "there is something behind the end of the JSON text")
    return value


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text

    def skip(self, position: int) -> int:
        match = _BLANKS.match(self.text, position)
        return match.end() if match else position

    def error(self, position: int, reason: str) -> FormatError:
        return FormatError(line_number(self.text, position), reason)

    def value(self, position: int, depth: int) -> JsonValue:
        if depth > _DEEPEST:
            raise self.error(position, "it is nested too deeply")
        match self.text[position : position + 1]:
            case "{":
                return self.object(position, depth)
            case "[":
                return self.array(position, depth)
            case '"':
                string, end = self.string(position)
                return JsonValue(kind=JsonKind.STRING, start=position, end=end, string=string)
            case _:
                match = _SCALAR.match(self.text, position)
                if not match:
                    raise self.error(position, "a JSON value is missing here")
                kind = JsonKind.NULL if match.group() == "null" else JsonKind.SCALAR
                return JsonValue(kind=kind, start=position, end=match.end())

    def string(self, position: int) -> tuple[str, int]:
        match = _STRING.match(self.text, position)
        if not match:
            raise self.error(position, "a string is not closed, or holds what JSON does not allow")
        string = json.loads(encode(match.group()).decode("utf-8", "replace"))
        return str(string), match.end()

    def object(self, start: int, depth: int) -> JsonValue:
        members: list[JsonMember] = []
        position = self.skip(start + 1)
        while self.text[position : position + 1] != "}" or members:
            if self.text[position : position + 1] != '"':
                raise self.error(position, "a key in double quotes is missing here")
            key, key_end = self.string(position)
            colon = self.skip(key_end)
            if self.text[colon : colon + 1] != ":":
                raise self.error(colon, f"the key '{key}' has no ':' behind it")
            value = self.value(self.skip(colon + 1), depth + 1)
            members.append(JsonMember(key=key, start=position, key_end=key_end, value=value))
            position = self.skip(value.end)
            if self.text[position : position + 1] == "}":
                break
            position = self.comma(position, "}")
        return JsonValue(kind=JsonKind.OBJECT, start=start, end=position + 1, members=tuple(members))

    def array(self, start: int, depth: int) -> JsonValue:
        elements: list[JsonValue] = []
        position = self.skip(start + 1)
        while self.text[position : position + 1] != "]" or elements:
            elements.append(self.value(position, depth + 1))
            position = self.skip(elements[-1].end)
            if self.text[position : position + 1] == "]":
                break
            position = self.comma(position, "]")
        return JsonValue(kind=JsonKind.ARRAY, start=start, end=position + 1, elements=tuple(elements))

    def comma(self, position: int, closing: str) -> int:
        if self.text[position : position + 1] != ",":
            raise self.error(position, f"',' or '{closing}' is missing here")
        return self.skip(position + 1)
