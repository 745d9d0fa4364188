"""Environment files as systemd reads them (systemd.exec(5), parse_env_file() in its sources), unlike a shell.

`export X=1` does not assign X, `$X` is not expanded, text after a closing quote continues the value, and the last of
several assignments to one name counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from harbor_agent.formats.systemd.arguments import Value
from harbor_agent.formats.text import CACHED_FILES, LINE_END, Fault, FormatError, decode, find_line_number, is_utf8

_WHITESPACE = " \t\n\r"
# rule SD-49
_NEWLINE = "\n\r"
_ESCAPABLE = '"\\`$'
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# systemd#27975: before this version, a comment that ends in a backslash swallows the next line.
COMMENT_CONTINUES_BEFORE = 254


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableLine:
    """One assignment; `start` and `end` enclose its lines including the line end, `line` counts from 1."""

    name: str
    value: Value
    start: int
    end: int
    line: int
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFile:
    """A parsed environment file; `faults` are the assignments that systemd ignores.

    `unended` is how many line ends the last line lacks: two after a backslash, which takes the first one away. More
    cannot be said of a quote that is not closed: a line behind it is part of the value.
    """

    text: str
    variables: tuple[VariableLine, ...]
    faults: tuple[Fault, ...]
    unended: int = 0

    def append(self, line: str) -> str:
        """Return the file with a new last line, in the file's own line ends."""
        line_end = "\r\n" if "\r\n" in self.text else "\n"
        return self.text + self.unended * line_end + line + line_end


class _State(Enum):
    PRE_KEY = auto()
    KEY = auto()
    PRE_VALUE = auto()
    VALUE = auto()
    VALUE_ESCAPE = auto()
    SINGLE = auto()
    DOUBLE = auto()
    DOUBLE_ESCAPE = auto()
    COMMENT = auto()
    COMMENT_ESCAPE = auto()


@lru_cache(maxsize=CACHED_FILES)
def parse_environment_file(content: bytes, *, comment_continues: bool = True) -> EnvironmentFile:
    """Parse the file. `comment_continues`: a backslash continues a comment line, as before systemd 254.

    Raises FormatError if systemd ignores the whole file.
    """
    text = decode(content)
    if "\0" in text:
        raise FormatError(find_line_number(text, text.index("\0")), "contains a NUL byte")
    reader = _Reader(text, comment_continues=comment_continues)
    reader.read()
    return EnvironmentFile(
        text=text, variables=tuple(reader.variables), faults=tuple(reader.faults), unended=reader.count_unended()
    )


class _Reader:
    """The state machine of parse_env_file(), which also records the place of each character of a value."""

    def __init__(self, text: str, *, comment_continues: bool) -> None:
        self.text = text
        self.comment_continues = comment_continues
        self.variables: list[VariableLine] = []
        self.faults: list[Fault] = []
        self.state = _State.PRE_KEY
        self.line, self.counted = 1, 0
        self._begin(0)

    def _begin(self, start: int) -> None:
        self.key: list[str] = []
        self.characters: list[str] = []
        self.places: list[tuple[int, int]] = []
        self.start = start
        self.value_start = start
        self.insertion: int | None = None
        self.quote = ""
        self.escape = start
        self.blanks_from: int | None = None

    def read(self) -> None:
        for position, character in enumerate(self.text):
            match self.state:
                case _State.PRE_KEY | _State.KEY | _State.COMMENT | _State.COMMENT_ESCAPE:
                    self._read_outside(position, character)
                case _State.PRE_VALUE | _State.VALUE | _State.VALUE_ESCAPE:
                    self._read_bare(position, character)
                case _State.SINGLE | _State.DOUBLE | _State.DOUBLE_ESCAPE:
                    self._read_quoted(position, character)
        if self.state not in (_State.PRE_KEY, _State.KEY, _State.COMMENT, _State.COMMENT_ESCAPE):
            if self.state is _State.VALUE:
                self._strip_value()
            self._push(len(self.text))

    def count_unended(self) -> int:
        """Return how many line ends lead to the next assignment from where the text ends."""
        match self.state:
            case _State.PRE_KEY:
                return 0
            case _State.VALUE_ESCAPE:
                return 2
            case _State.COMMENT_ESCAPE if self.comment_continues:
                return 2
            case _:
                return 1

    def _read_outside(self, position: int, character: str) -> None:
        newline = character in _NEWLINE
        match self.state:
            case _State.PRE_KEY if character in "#;":
                self.state = _State.COMMENT
            case _State.PRE_KEY if character not in _WHITESPACE:
                self._begin(position)
                self.key.append(character)
                self.state = _State.KEY
            case _State.KEY if newline:
                self.state = _State.PRE_KEY
            case _State.KEY if character == "=":
                self.state, self.value_start = _State.PRE_VALUE, position + 1
            case _State.KEY:
                self.key.append(character)
            case _State.COMMENT if character == "\\":
                self.state = _State.COMMENT_ESCAPE
            case _State.COMMENT if newline:
                self.state = _State.PRE_KEY
            case _State.COMMENT_ESCAPE:
                # rule SD-41
                ends = newline and not self.comment_continues
                self.state = _State.PRE_KEY if ends else _State.COMMENT
            case _:
                pass

    def _read_bare(self, position: int, character: str) -> None:
        if self.state is _State.VALUE_ESCAPE:
            self.state = _State.VALUE
            # rule SD-45
            if character not in _NEWLINE:
                self._take(character, self.escape, position + 1)
        elif character in _NEWLINE:
            if self.state is _State.VALUE:
                self._strip_value()
            self._push(position + 1)
            self.state = _State.PRE_KEY
        elif character == "\\":
            self.state, self.escape, self.blanks_from = _State.VALUE_ESCAPE, position, None
        elif self.state is _State.PRE_VALUE and character in "'\"":
            self.state = _State.SINGLE if character == "'" else _State.DOUBLE
            self.quote, self.insertion = character, position + 1
        elif self.state is _State.VALUE or character not in _WHITESPACE:
            if character not in _WHITESPACE:
                self.blanks_from = None
            elif self.blanks_from is None:
                self.blanks_from = len(self.characters)
            self.state = _State.VALUE
            self._take(character, position, position + 1)

    def _read_quoted(self, position: int, character: str) -> None:
        if self.state is _State.DOUBLE_ESCAPE:
            self.state = _State.DOUBLE
            # rule SD-44
            if character in _ESCAPABLE:
                self._take(character, self.escape, position + 1)
            elif character != "\n":
                self._take("\\", self.escape, position)
                self._take(character, position, position + 1)
        # rule SD-43
        elif character == ("'" if self.state is _State.SINGLE else '"'):
            self.state = _State.PRE_VALUE
        # rule SD-47
        elif self.state is _State.DOUBLE and character == "\\":
            self.state, self.escape = _State.DOUBLE_ESCAPE, position
        else:
            self._take(character, position, position + 1)

    def _take(self, character: str, start: int, end: int) -> None:
        self.characters.append(character)
        self.places.append((start, end))

    def _strip_value(self) -> None:
        """Drop the blanks at the end of an unquoted value, but none before a backslash."""
        if self.blanks_from is not None:
            # rule SD-46
            del self.characters[self.blanks_from :]
            del self.places[self.blanks_from :]

    def _push(self, end: int) -> None:
        if self.text[end - 1 : end + 1] == "\r\n":
            end += 1
        name, text = "".join(self.key).rstrip(_WHITESPACE), "".join(self.characters)
        self.line += len(LINE_END.findall(self.text, self.counted, self.start))
        self.counted, line = self.start, self.line
        # rule SD-48
        if not is_utf8(name) or not is_utf8(text):
            raise FormatError(line, "not UTF-8: systemd ignores the whole file")
        # rule SD-40
        if not _NAME.match(name):
            self.faults.append(Fault(line=line, reason=f"invalid variable name '{name}'"))
        else:
            start = self.value_start if self.insertion is None else self.insertion
            value = Value(text=text, places=tuple(self.places), start=start, continues=self.quote != "'")
            self.variables.append(
                VariableLine(name=name, value=value, start=self.start, end=end, line=line, quote=self.quote)
            )
