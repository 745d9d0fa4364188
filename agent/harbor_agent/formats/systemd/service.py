"""Evaluates a service's unit file and drop-ins in order (systemd.exec(5), systemd.service(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harbor_agent.formats.systemd.arguments import Value
from harbor_agent.formats.systemd.command import CommandError, read_commands
from harbor_agent.formats.systemd.syntax import WordError, expand_specifiers, find_unknown_specifier, split_words
from harbor_agent.formats.text import Fault, FormatError, is_utf8

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harbor_agent.formats.systemd.command import Command
    from harbor_agent.formats.systemd.syntax import Word
    from harbor_agent.formats.systemd.unit import Assignment, UnitFile

_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """An assignment of Environment= in effect.

    `value` is as written; in `meaning`, specifiers that are the same on every node are expanded. `word` is the range
    of the whole `NAME=value` in the file, including quotes.
    """

    name: str
    value: Value
    meaning: str
    path: str
    word: tuple[int, int]
    assignment: Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenVariable:
    """A variable of Environment= that systemd drops because of a syntax error; `name` is the variable it would set."""

    name: str
    path: str
    assignment: Assignment
    reason: str


@dataclass(slots=True, kw_only=True)
class Service:
    """The settings of the unit `name` in effect, filled file by file.

    `faults` are the lines that systemd skips, each with the path of its file.
    """

    name: str
    environment: dict[str, Variable] = field(default_factory=dict)
    environment_files: list[str] = field(default_factory=list)
    unset: list[str] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    broken: list[BrokenVariable] = field(default_factory=list)


class ServiceError(FormatError):
    """A setting because of which systemd ignores the rest of the file at `path`."""

    def __init__(self, path: str, line: int, reason: str) -> None:
        """Keep path, line and reason."""
        super().__init__(line, reason)
        self.path = path


def evaluate_service(files: Iterable[tuple[str, UnitFile]], name: str = "docker.service") -> Service:
    """Evaluate the unit file of `name` and its drop-ins, given in the order in which systemd reads them.

    Raises ServiceError for an ExecStart= that systemd rejects.
    """
    service = Service(name=name)
    for path, unit in files:
        service.faults.extend((path, fault) for fault in unit.faults)
        for assignment in unit.assignments:
            # rule SD-29
            if assignment.section == "Service":
                _apply(service, path, assignment)
    return service


def remove_unset_variables(service: Service, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables except those that UnsetEnvironment= removes."""
    unset = set(service.unset)
    # rule SD-24
    return {n: value for n, value in variables.items() if n not in unset and f"{n}={value}" not in unset}


def _apply(service: Service, path: str, assignment: Assignment) -> None:
    match assignment.key:
        case "Environment" if not assignment.value:
            # rule SD-21
            service.environment.clear()
        case "Environment":
            _add_environment(service, path, assignment)
        case "EnvironmentFile" if not assignment.value:
            # rule SD-22
            service.environment_files.clear()
        case "EnvironmentFile":
            _add_environment_file(service, path, assignment)
        case "UnsetEnvironment" if not assignment.value:
            service.unset.clear()
        case "UnsetEnvironment":
            _add_unset(service, path, assignment)
        case "ExecStart" if not assignment.value:
            # rule SD-20
            service.commands.clear()
        case "ExecStart":
            _add_commands(service, path, assignment)
        case _:
            pass


def _add_environment_file(service: Service, path: str, assignment: Assignment) -> None:
    dash = "-" if assignment.value.startswith("-") else ""
    named = expand_specifiers(assignment.value.removeprefix("-"), service.name)
    specifier = find_unknown_specifier(assignment.value)
    names = named.split("/")
    reason = ""
    if specifier:
        reason = f"unknown specifier '{specifier}'"
    # rule SD-13
    elif names[0]:
        reason = f"'{named}' is not an absolute path"
    elif ".." in names:
        reason = f"'{named}' contains '..'"
    if reason:
        service.faults.append((path, Fault(line=assignment.line, reason=f"{reason}: systemd ignores it")))
        return
    service.environment_files.append(f"{dash}/{'/'.join(name for name in names if name not in ('', '.'))}")


def _add_unset(service: Service, path: str, assignment: Assignment) -> None:
    try:
        for word in split_words(assignment.value):
            specifier = find_unknown_specifier(word.text)
            if specifier:
                reason = f"unknown specifier '{specifier}': systemd ignores it"
                service.faults.append((path, Fault(line=assignment.line, reason=reason)))
            else:
                service.unset.append(expand_specifiers(word.text, service.name))
    except WordError as error:
        service.faults.append((path, Fault(line=assignment.line, reason=f"{error}: systemd ignores the rest")))


def _add_environment(service: Service, path: str, assignment: Assignment) -> None:
    done = 0
    try:
        for word in split_words(assignment.value):
            done = word.end
            match = _VARIABLE.match(word.text)
            specifier = find_unknown_specifier(word.text)
            if specifier:
                reason = f"unknown specifier '{specifier}', write '%{specifier}'"
                _drop_variable(service, path, assignment, match, reason)
            elif match and is_utf8(word.text):
                # rule SD-23: a later assignment replaces an earlier one
                service.environment[match[1]] = _build_variable(service, path, assignment, word, match)
            else:
                reason = f"'{word.text}' is not an assignment: systemd ignores it"
                service.faults.append((path, Fault(line=assignment.line, reason=reason)))
    except WordError as error:
        match = _VARIABLE.match(assignment.value[done:].lstrip().lstrip("\"'"))
        _drop_variable(service, path, assignment, match, str(error))


def _drop_variable(
    service: Service, path: str, assignment: Assignment, match: re.Match[str] | None, reason: str
) -> None:
    service.faults.append((path, Fault(line=assignment.line, reason=f"{reason}: systemd drops the variable")))
    if match:
        service.broken.append(BrokenVariable(name=match[1], path=path, assignment=assignment, reason=reason))


def _build_variable(service: Service, path: str, assignment: Assignment, word: Word, match: re.Match[str]) -> Variable:
    places = tuple(
        (assignment.offsets[start], assignment.offsets[end - 1] + 1) for start, end in word.places[match.end() :]
    )
    whole = assignment.place(word.start, word.end)
    # An empty value begins after the name, inside the quotes if the word ends with one.
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


def _add_commands(service: Service, path: str, assignment: Assignment) -> None:
    try:
        read_commands(path, assignment, service.name, service.commands)
    except CommandError as error:
        if error.is_fatal:
            # rule SD-15: systemd ignores the rest of a drop-in, and does not load a unit file like this at all
            raise ServiceError(path, assignment.line, f"{error} in ExecStart=") from None
        service.faults.append((path, Fault(line=assignment.line, reason=f"{error}: systemd ignores the line")))
