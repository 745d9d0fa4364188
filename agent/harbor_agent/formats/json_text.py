"""JSON as a tree with the place of each value, so that one value can be edited and everything else kept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from harbor_agent.formats.text import FormatError, encode, find_line_number

_BLANKS = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"')
_SCALAR = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_MAX_DEPTH = 200


class JsonKind(StrEnum):
    """The kind of a JSON value, as an error message names it."""

    OBJECT = "an object"
    ARRAY = "a list"
    STRING = "a string"
    SCALAR = "a number, true or false"
    NULL = "null"


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonValue:
    """A value from `start` up to `end` of the text; `string` is the value of a STRING."""

    kind: JsonKind
    start: int
    end: int
    string: str = ""
    elements: tuple[JsonValue, ...] = ()
    members: tuple[JsonMember, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonMember:
    """A member of an object; `start` is the opening quote of its key, `key_end` follows the closing one."""

    key: str
    start: int
    key_end: int
    value: JsonValue


def parse_json(text: str, start: int = 0) -> JsonValue:
    """Parse one JSON value that extends to the end of the text. Raises FormatError with the line of an error."""
    parser = _Parser(text)
    value = parser.parse_value(parser.skip_blanks(start), 0)
    rest = parser.skip_blanks(value.end)
    if rest < len(text):
        raise parser.build_error(rest, "unexpected text after the end of the JSON document")
    return value


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text

    def skip_blanks(self, position: int) -> int:
        match = _BLANKS.match(self.text, position)
        return match.end() if match else position

    def build_error(self, position: int, reason: str) -> FormatError:
        return FormatError(find_line_number(self.text, position), reason)

    def parse_value(self, position: int, depth: int) -> JsonValue:
        if depth > _MAX_DEPTH:
            raise self.build_error(position, "nested too deeply")
        match self.text[position : position + 1]:
            case "{":
                return self.parse_object(position, depth)
            case "[":
                return self.parse_array(position, depth)
            case '"':
                string, end = self.parse_string(position)
                return JsonValue(kind=JsonKind.STRING, start=position, end=end, string=string)
            case _:
                match = _SCALAR.match(self.text, position)
                if not match:
                    raise self.build_error(position, "expected a JSON value")
                kind = JsonKind.NULL if match.group() == "null" else JsonKind.SCALAR
                return JsonValue(kind=kind, start=position, end=match.end())

    def parse_string(self, position: int) -> tuple[str, int]:
        match = _STRING.match(self.text, position)
        if not match:
            raise self.build_error(position, "unclosed string, or a character that JSON does not allow in a string")
        string = json.loads(encode(match.group()).decode("utf-8", "replace"))
        return str(string), match.end()

    def parse_object(self, start: int, depth: int) -> JsonValue:
        members: list[JsonMember] = []
        position = self.skip_blanks(start + 1)
        while self.text[position : position + 1] != "}" or members:
            if self.text[position : position + 1] != '"':
                raise self.build_error(position, "expected a key in double quotes")
            key, key_end = self.parse_string(position)
            colon = self.skip_blanks(key_end)
            if self.text[colon : colon + 1] != ":":
                raise self.build_error(colon, f"expected ':' after the key '{key}'")
            value = self.parse_value(self.skip_blanks(colon + 1), depth + 1)
            members.append(JsonMember(key=key, start=position, key_end=key_end, value=value))
            position = self.skip_blanks(value.end)
            if self.text[position : position + 1] == "}":
                break
            position = self.skip_comma(position, "}")
        return JsonValue(kind=JsonKind.OBJECT, start=start, end=position + 1, members=tuple(members))

    def parse_array(self, start: int, depth: int) -> JsonValue:
        elements: list[JsonValue] = []
        position = self.skip_blanks(start + 1)
        while self.text[position : position + 1] != "]" or elements:
            elements.append(self.parse_value(position, depth + 1))
            position = self.skip_blanks(elements[-1].end)
            if self.text[position : position + 1] == "]":
                break
            position = self.skip_comma(position, "]")
        return JsonValue(kind=JsonKind.ARRAY, start=start, end=position + 1, elements=tuple(elements))

    def skip_comma(self, position: int, closing: str) -> int:
        if self.text[position : position + 1] != ",":
            raise self.build_error(position, f"expected ',' or '{closing}'")
        return self.skip_blanks(position + 1)
