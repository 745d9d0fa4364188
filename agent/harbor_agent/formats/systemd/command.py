"""The commands of an ExecStart= line (systemd.service(5), config_parse_exec() in systemd's sources)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.formats.systemd.arguments import PlacedWord, Value
from harbor_agent.formats.systemd.syntax import Escapes, WordError, expand_specifiers, unknown_specifier, words

if TYPE_CHECKING:
    from harbor_agent.formats.systemd.syntax import Word
    from harbor_agent.formats.systemd.unit import Assignment

_LONGEST_NAME = 255
_UNSAFE = "\"'\\\x7f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An ExecStart= in force: the path or name of a program and what it is given.

    `placed` are the words from the one that the program sees as its name, mostly the program itself. `expands` is
    false behind the prefix `:`.
    """

    path: str
    assignment: Assignment
    program: str
    placed: tuple[PlacedWord, ...]
    value: Value
    expands: bool


class CommandError(Exception):
    """A command that systemd cannot read; `is_fatal` where it leaves the rest of the file unread, too."""

    def __init__(self, reason: str, *, is_fatal: bool) -> None:
        """Keep the reason, a clause."""
        super().__init__(reason)
        self.is_fatal = is_fatal


def read_commands(path: str, assignment: Assignment, unit: str, into: list[Command]) -> None:
    """Append the commands of the line to `into`. Raises CommandError, after the commands before the faulty one."""
    places = tuple((offset, offset + 1) for offset in assignment.offsets)
    value = Value(text=assignment.value, places=places, start=assignment.value_start)
    found: list[Word] = []
    try:
        for word in words(assignment.value, escapes=Escapes.RELAXED):
            # rule SD-19: a semicolon by itself begins another command
            if found and assignment.value[word.start : word.end] == ";":
                into.append(_command(path, assignment, value, found, unit))
                found = []
            else:
                found.append(word)
    except WordError as error:
        # without its first word it is no command yet, and only the line is lost
        is_fatal = bool(found) and "-" not in _prefix(found[0].text)
        raise CommandError(str(error), is_fatal=is_fatal) from None
    if found:
        into.append(_command(path, assignment, value, found, unit))


def _command(path: str, assignment: Assignment, value: Value, found: list[Word], unit: str) -> Command:
    prefix = _prefix(found[0].text)
    program = expand_specifiers(found[0].text[len(prefix) :], unit)
    # rule SD-18: behind @ the second word is what the program sees as its name
    placed = [] if "@" in prefix else [_placed(assignment, found[0], program)]
    reason = _fault_of(program)
    if "@" in prefix and len(found) == 1:
        reason = reason or "the prefix '@' needs a name behind the program"
    for word in found:
        specifier = unknown_specifier(word.text)
        # rule SD-14: an unknown specifier
        reason = f"'{specifier}' is no specifier" if specifier else reason
    if reason:
        raise CommandError(reason, is_fatal="-" not in prefix)
    placed.extend(_placed(assignment, word, _argument(assignment, word, unit)) for word in found[1:])
    return Command(
        path=path,
        assignment=assignment,
        program=program,
        placed=tuple(placed),
        value=value,
        # rule SD-37
        expands=":" not in prefix,
    )


def _prefix(text: str) -> str:
    """Return the special characters before the program; each counts once, `!` twice, `+` and `!` not together."""
    seen = ""
    for character in text:
        once = character in "-@:" and character not in seen
        privileged = character == "+" and not set("+!") & set(seen)
        ambient = character == "!" and "+" not in seen and seen.count("!") < len("!!")
        if not (once or privileged or ambient):
            break
        seen += character
    return seen


def _fault_of(program: str) -> str:
    """Return why systemd does not take it for a program, "" where it does."""
    if not program:
        return "it names no program"
    if any(character < " " or character in _UNSAFE for character in program):
        return "the name of the program has special characters"
    names = program.split("/")
    # rule SD-50
    if not names[-1]:
        return "a directory is no program"
    if (len(names) > 1 and names[0]) or program in (".", "..") or any(len(name) > _LONGEST_NAME for name in names):
        return f"'{program}' is neither an absolute path nor a name"
    return ""


def _argument(assignment: Assignment, word: Word, unit: str) -> str:
    # rule SD-19: an escaped semicolon is an argument
    return ";" if assignment.value[word.start : word.end] == "\\;" else expand_specifiers(word.text, unit)


def _placed(assignment: Assignment, word: Word, text: str) -> PlacedWord:
    start, end = assignment.place(word.start, word.end)
    return PlacedWord(text=text, start=start, end=end)
