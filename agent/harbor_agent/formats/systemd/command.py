"""Commands of an ExecStart= line (systemd.service(5), config_parse_exec() in systemd's sources)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.formats.systemd.arguments import PlacedWord, Value
from harbor_agent.formats.systemd.syntax import (
    Escapes,
    WordError,
    expand_specifiers,
    find_unknown_specifier,
    split_words,
)

if TYPE_CHECKING:
    from harbor_agent.formats.systemd.syntax import Word
    from harbor_agent.formats.systemd.unit import Assignment

_LONGEST_NAME = 255
_UNSAFE = "\"'\\\x7f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command in effect: the path or name of the program, and its arguments.

    `path` is the unit file. `placed` are the words of argv: the first is usually the program itself, or the name
    after the prefix `@`. `expands` is false with the prefix `:`, which turns variable expansion off.
    """

    path: str
    assignment: Assignment
    program: str
    placed: tuple[PlacedWord, ...]
    value: Value
    expands: bool


class CommandError(Exception):
    """A command that systemd rejects; `is_fatal` if systemd then ignores the rest of the file, too."""

    def __init__(self, reason: str, *, is_fatal: bool) -> None:
        """Keep the reason, such as "the quote is not closed"."""
        super().__init__(reason)
        self.is_fatal = is_fatal


def read_commands(path: str, assignment: Assignment, unit: str, into: list[Command]) -> None:
    """Append the commands of the line to `into`. Raises CommandError after appending those before the faulty one."""
    places = tuple((offset, offset + 1) for offset in assignment.offsets)
    value = Value(text=assignment.value, places=places, start=assignment.value_start)
    found: list[Word] = []
    try:
        for word in split_words(assignment.value, escapes=Escapes.RELAXED):
            # rule SD-19: a semicolon as a word of its own starts another command
            if found and assignment.value[word.start : word.end] == ";":
                into.append(_build_command(path, assignment, value, found, unit))
                found = []
            else:
                found.append(word)
    except WordError as error:
        # without a first word there is no command yet, and systemd ignores only the line
        is_fatal = bool(found) and "-" not in _read_prefix(found[0].text)
        raise CommandError(str(error), is_fatal=is_fatal) from None
    if found:
        into.append(_build_command(path, assignment, value, found, unit))


def _build_command(path: str, assignment: Assignment, value: Value, found: list[Word], unit: str) -> Command:
    prefix = _read_prefix(found[0].text)
    program = expand_specifiers(found[0].text[len(prefix) :], unit)
    # rule SD-18: with @, the second word is the program's argv[0]
    placed = [] if "@" in prefix else [_place_word(assignment, found[0], program)]
    reason = _find_fault(program)
    if "@" in prefix and len(found) == 1:
        reason = reason or "the prefix '@' needs a name after the program"
    for word in found:
        specifier = find_unknown_specifier(word.text)
        # rule SD-14: an unknown specifier
        reason = f"unknown specifier '{specifier}'" if specifier else reason
    if reason:
        raise CommandError(reason, is_fatal="-" not in prefix)
    placed.extend(_place_word(assignment, word, _expand_argument(assignment, word, unit)) for word in found[1:])
    return Command(
        path=path,
        assignment=assignment,
        program=program,
        placed=tuple(placed),
        value=value,
        # rule SD-37
        expands=":" not in prefix,
    )


def _read_prefix(text: str) -> str:
    """Return the special characters before the program: each once, `!` up to twice, `+` and `!` not together."""
    seen = ""
    for character in text:
        once = character in "-@:" and character not in seen
        privileged = character == "+" and not set("+!") & set(seen)
        ambient = character == "!" and "+" not in seen and seen.count("!") < len("!!")
        if not (once or privileged or ambient):
            break
        seen += character
    return seen


def _find_fault(program: str) -> str:
    """Return why systemd does not accept `program`, or ""."""
    if not program:
        return "the program is missing"
    if any(character < " " or character in _UNSAFE for character in program):
        return "the program's name has quotes, backslashes or control characters"
    names = program.split("/")
    # rule SD-50
    if not names[-1]:
        return f"'{program}' is a directory, not a program"
    if (len(names) > 1 and names[0]) or program in (".", "..") or any(len(name) > _LONGEST_NAME for name in names):
        return f"'{program}' is neither an absolute path nor a name"
    return ""


def _expand_argument(assignment: Assignment, word: Word, unit: str) -> str:
    # rule SD-19: an escaped semicolon is an argument
    return ";" if assignment.value[word.start : word.end] == "\\;" else expand_specifiers(word.text, unit)


def _place_word(assignment: Assignment, word: Word, text: str) -> PlacedWord:
    start, end = assignment.place(word.start, word.end)
    return PlacedWord(text=text, start=start, end=end)
