"""What a service runs: its unit file and drop-ins, evaluated in order (systemd.exec(5), systemd.service(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harbor_agent.formats.systemd.arguments import Value
from harbor_agent.formats.systemd.command import CommandError, read_commands
from harbor_agent.formats.systemd.syntax import WordError, expand_specifiers, unknown_specifier, words
from harbor_agent.formats.text import Fault, FormatError, is_utf8

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harbor_agent.formats.systemd.command import Command
    from harbor_agent.formats.systemd.syntax import Word
    from harbor_agent.formats.systemd.unit import Assignment, UnitFile

_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """An assignment of Environment= that is in force.

    `value` is as written, `meaning` has its specifiers expanded as far as they are known. `word` is the range of
    the whole `NAME=value` in the file, quotes included.
    """

    name: str
    value: Value
    meaning: str
    path: str
    word: tuple[int, int]
    assignment: Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenVariable:
    """An Environment= line that systemd drops because of its syntax; `name` is what it meant to set."""

    name: str
    path: str
    assignment: Assignment
    reason: str


@dataclass(slots=True, kw_only=True)
class Service:
    """The settings in force of the unit `name`, filled file by file.

    `faults` are (path, fault) of what systemd skips.
    """

    name: str
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


def evaluate_service(files: Iterable[tuple[str, UnitFile]], name: str = "docker.service") -> Service:
    """Evaluate the file of the unit `name` and its drop-ins, given in the order in which systemd reads them.

    Raises ServiceError for an ExecStart= that systemd cannot read.
    """
    service = Service(name=name)
    for path, unit in files:
        service.faults.extend((path, fault) for fault in unit.faults)
        for assignment in unit.assignments:
            # rule SD-29
            if assignment.section == "Service":
                _apply(service, path, assignment)
    return service


def surviving_environment(service: Service, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that UnsetEnvironment= takes away."""
    unset = set(service.unset)
    # rule SD-24
    return {n: value for n, value in variables.items() if n not in unset and f"{n}={value}" not in unset}


def _apply(service: Service, path: str, assignment: Assignment) -> None:
    match assignment.key:
        case "Environment" if not assignment.value:
            # rule SD-21
            service.environment.clear()
        case "Environment":
            _environment(service, path, assignment)
        case "EnvironmentFile" if not assignment.value:
            # rule SD-22
            service.environment_files.clear()
        case "EnvironmentFile":
            _environment_file(service, path, assignment)
        case "UnsetEnvironment" if not assignment.value:
            service.unset.clear()
        case "UnsetEnvironment":
            _unset(service, path, assignment)
        case "ExecStart" if not assignment.value:
            # rule SD-20
            service.commands.clear()
        case "ExecStart":
            _command(service, path, assignment)
        case _:
            pass


def _environment_file(service: Service, path: str, assignment: Assignment) -> None:
    dash = "-" if assignment.value.startswith("-") else ""
    named = expand_specifiers(assignment.value.removeprefix("-"), service.name)
    specifier = unknown_specifier(assignment.value)
    names = named.split("/")
    reason = ""
    if specifier:
        reason = f"'{specifier}' is no specifier"
    # rule SD-13
    elif names[0]:
        reason = f"'{named}' is no absolute path"
    elif ".." in names:
        reason = f"'{named}' leads through '..'"
    if reason:
        service.faults.append((path, Fault(line=assignment.line, reason=f"{reason}: systemd ignores it")))
        return
    service.environment_files.append(f"{dash}/{'/'.join(name for name in names if name not in ('', '.'))}")


def _unset(service: Service, path: str, assignment: Assignment) -> None:
    try:
        for word in words(assignment.value):
            specifier = unknown_specifier(word.text)
            if specifier:
                reason = f"'{specifier}' is no specifier: systemd ignores it"
                service.faults.append((path, Fault(line=assignment.line, reason=reason)))
            else:
                service.unset.append(expand_specifiers(word.text, service.name))
    except WordError as error:
        service.faults.append((path, Fault(line=assignment.line, reason=f"{error}: systemd ignores the rest")))


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
                # rule SD-23
                service.environment[match[1]] = _variable(service, path, assignment, word, match)
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


def _variable(service: Service, path: str, assignment: Assignment, word: Word, match: re.Match[str]) -> Variable:
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
    text = word.text[match.end() :]
    return Variable(
        name=match[1],
        meaning=expand_specifiers(text, service.name),
        value=Value(text=text, places=places, start=raw_start, bare=bare),
        path=path,
        word=whole,
        assignment=assignment,
    )


def _command(service: Service, path: str, assignment: Assignment) -> None:
    try:
        read_commands(path, assignment, service.name, service.commands)
    except CommandError as error:
        if error.is_fatal:
            # rule SD-15: systemd leaves the rest of the file unread, and does not load a unit file like this at all
            raise ServiceError(path, assignment.line, f"{error}, in ExecStart=") from None
        service.faults.append((path, Fault(line=assignment.line, reason=f"{error}: systemd ignores the line")))
