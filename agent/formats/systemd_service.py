"""What a service runs: its unit file and drop-ins, evaluated in order (systemd.exec(5), systemd.service(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.formats.argument_text import PlacedWord, Value
from agent.formats.systemd_syntax import Escapes, WordError, expand_specifiers, unknown_specifier, words
from agent.formats.text import Fault, FormatError, is_utf8

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.formats.systemd_syntax import Word
    from agent.formats.systemd_unit import Assignment, UnitFile

_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_PREFIXES = "@-:+!"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """An assignment of Environment= that is in force; `value` is as written, specifiers not expanded.

    `word` is the range of the whole `NAME=value` in the file, quotes included.
    """

    name: str
    value: Value
    path: str
    word: tuple[int, int]
    assignment: Assignment

    @property
    def meaning(self) -> str:
        """The value with specifiers expanded as far as they are known."""
        return expand_specifiers(self.value.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An ExecStart= in force. `placed[0]` is the program; `expands` is false behind the prefix `:`."""

    path: str
    assignment: Assignment
    placed: tuple[PlacedWord, ...]
    value: Value
    expands: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenVariable:
    """An Environment= line that systemd drops because of its syntax; `name` is what it meant to set."""

    name: str
    path: str
    assignment: Assignment
    reason: str


@dataclass(slots=True, kw_only=True)
class Service:
    """The settings in force, filled file by file. `faults` are (path, fault) of what systemd skips."""

    environment: dict[str, Variable] = field(default_factory=dict)
    environment_files: list[str] = field(default_factory=list)
    unset: list[str] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    broken: list[BrokenVariable] = field(default_factory=list)


class ServiceError(FormatError):
    """A setting that keeps systemd from reading the rest of the file at `path`."""

    def __init__(self, path: str, line: int, reason: str) -> None:
        """Keep the path beside line and reason."""
        super().__init__(line, reason)
        self.path = path


def evaluate_service(files: Iterable[tuple[str, UnitFile]]) -> Service:
    """Evaluate the unit file and its drop-ins, given in the order in which systemd reads them.

    Raises ServiceError for an ExecStart= that systemd cannot read.
    """
    service = Service()
    for path, unit in files:
        service.faults.extend((path, fault) for fault in unit.faults)
        for assignment in unit.assignments:
            if assignment.section == "Service":
                _apply(service, path, assignment)
    return service


def surviving_environment(service: Service, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that UnsetEnvironment= takes away."""
    return {
        name: value
        for name, value in variables.items()
        if name not in service.unset and f"{name}={value}" not in service.unset
    }


def _apply(service: Service, path: str, assignment: Assignment) -> None:
    match assignment.key:
        case "Environment" if not assignment.value:
            service.environment.clear()
        case "Environment":
            _environment(service, path, assignment)
        case "EnvironmentFile" if not assignment.value:
            service.environment_files.clear()
        case "EnvironmentFile" if not assignment.value.removeprefix("-").startswith("/"):
            reason = f"'{assignment.value}' is no absolute path: systemd ignores it"
            service.faults.append((path, Fault(line=assignment.line, reason=reason)))
        case "EnvironmentFile":
            service.environment_files.append(expand_specifiers(assignment.value))
        case "UnsetEnvironment" if not assignment.value:
            service.unset.clear()
        case "UnsetEnvironment":
            service.unset.extend(assignment.value.split())
        case "ExecStart" if not assignment.value:
            service.commands.clear()
        case "ExecStart":
            _command(service, path, assignment)
        case _:
            pass


def _environment(service: Service, path: str, assignment: Assignment) -> None:
    done = 0
    try:
        for word in words(assignment.value):
            done = word.end
            match = _VARIABLE.match(word.text)
            specifier = unknown_specifier(word.text)
            if specifier:
                _drop(service, path, assignment, match, f"'{specifier}' is no specifier, write '%{specifier}'")
            elif match and is_utf8(word.text):
                # replaced in place or appended, the order does not matter to what is set
                service.environment[match[1]] = _variable(path, assignment, word, match)
            else:
                reason = f"'{word.text}' is no assignment: systemd ignores it"
                service.faults.append((path, Fault(line=assignment.line, reason=reason)))
    except WordError as error:
        match = _VARIABLE.match(assignment.value[done:].lstrip().lstrip("\"'"))
        _drop(service, path, assignment, match, str(error))


def _drop(service: Service, path: str, assignment: Assignment, match: re.Match[str] | None, reason: str) -> None:
    service.faults.append((path, Fault(line=assignment.line, reason=f"{reason}: systemd drops the variable")))
    if match:
        service.broken.append(BrokenVariable(name=match[1], path=path, assignment=assignment, reason=reason))


def _variable(path: str, assignment: Assignment, word: Word, match: re.Match[str]) -> Variable:
    places = tuple(
        (assignment.offsets[start], assignment.offsets[end - 1] + 1) for start, end in word.places[match.end() :]
    )
    whole = assignment.place(word.start, word.end)
    # Behind the name an empty value begins, inside the quotes if the word closes with one.
    start = word.places[match.end() - 1][1]
    if places:
        raw_start = places[0][0]
    elif word.closing_quote is not None:
        raw_start = assignment.offsets[word.closing_quote]
    else:
        raw_start = assignment.offsets[start - 1] + 1
    bare = whole if word.closing_quote is None else None
    return Variable(
        name=match[1],
        value=Value(text=word.text[match.end() :], places=places, start=raw_start, bare=bare),
        path=path,
        word=whole,
        assignment=assignment,
    )


def _command(service: Service, path: str, assignment: Assignment) -> None:
    found: list[Word] = []
    reason = ""
    try:
        for word in words(assignment.value, escapes=Escapes.RELAXED):
            found.append(word)
            specifier = unknown_specifier(word.text)
            reason = reason or (f"'{specifier}' is no specifier" if specifier else "")
    except WordError as error:
        reason = reason or str(error)
    if reason:
        if found and "-" not in _prefix(found[0].text):
            # systemd leaves the rest of the file unread, and does not load a unit file like this at all
            raise ServiceError(path, assignment.line, f"{reason}, in ExecStart=")
        service.faults.append((path, Fault(line=assignment.line, reason=f"{reason}: systemd ignores the line")))
        return
    program = found[0].text
    prefix = _prefix(program)
    arguments = found[1:]
    if "@" in prefix:
        arguments = arguments[1:]
    placed = [_placed(assignment, found[0], program.lstrip(_PREFIXES))]
    placed.extend(_placed(assignment, word, word.text) for word in arguments)
    places = tuple((offset, offset + 1) for offset in assignment.offsets)
    service.commands.append(
        Command(
            path=path,
            assignment=assignment,
            placed=tuple(placed),
            value=Value(text=assignment.value, places=places, start=assignment.value_start),
            expands=":" not in prefix,
        )
    )


def _prefix(program: str) -> str:
    return program[: len(program) - len(program.lstrip(_PREFIXES))]


def _placed(assignment: Assignment, word: Word, text: str) -> PlacedWord:
    start, end = assignment.place(word.start, word.end)
    return PlacedWord(text=expand_specifiers(text), start=start, end=end)
