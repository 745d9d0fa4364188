"""What dockerd runs with, from the files alone: unit, drop-ins, environment files, arguments, configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from harbor_agent.formats.docker.arguments import INSECURE_REGISTRY, parse_arguments
from harbor_agent.formats.docker.daemon_json import INSECURE_REGISTRIES, parse_daemon_json
from harbor_agent.formats.systemd.arguments import split_value
from harbor_agent.formats.systemd.service import ServiceError, Variable, evaluate_service, remove_unset_variables
from harbor_agent.formats.systemd.syntax import expand_specifiers, parse_whole_variable, replace_variables
from harbor_agent.formats.systemd.unit import parse_unit
from harbor_agent.formats.text import CACHED_FILES, FormatError, find_line_number, to_unicode
from harbor_agent.planning.docker.state import find_docker
from harbor_agent.planning.docker.unit import find_unit
from harbor_agent.planning.files.workspace import read_content
from harbor_agent.planning.refusal import RefusedError, refuse_file
from harbor_agent.planning.systemd.environment import read_environment_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.formats.docker.arguments import DaemonArguments
    from harbor_agent.formats.docker.daemon_json import DaemonJson
    from harbor_agent.formats.json_text import JsonValue
    from harbor_agent.formats.systemd.arguments import PlacedWord
    from harbor_agent.formats.systemd.command import Command
    from harbor_agent.formats.systemd.environment_file import EnvironmentFile, VariableLine
    from harbor_agent.formats.systemd.service import Service
    from harbor_agent.formats.systemd.unit import UnitFile
    from harbor_agent.formats.text import Fault
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.systemd.unit_files import UnitFiles

# The names that distributions give it; "docker daemon" before 1.12. Any other may be a script.
_IS_DOCKERD = re.compile(r"dockerd?(-(ce|current|latest))?")
_SEE_UNIT = "fix the unit; 'systemctl cat docker' shows all of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVariable:
    """A variable that an environment file assigns last."""

    name: str
    path: str
    line: VariableLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of dockerd and where it is written.

    `variable` is the name of its variable, "" for an argument in ExecStart= itself; `word` is None if it cannot be
    edited separately (`${NAME}` within a word).
    """

    text: str
    variable: str = ""
    word: PlacedWord | None = None
    index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """The node's files, evaluated.

    `config` is None if the file is absent, or unusable (`config_fault`). `argv` are the arguments as people write them;
    specifiers of the machine stay as they are.
    """

    unit: UnitFiles
    parsed: Mapping[str, UnitFile]
    environment_files: Mapping[str, EnvironmentFile]
    service: Service
    command: Command
    winners: Mapping[str, Variable | FileVariable]
    environment: Mapping[str, str]
    arguments: tuple[Argument, ...]
    argv: tuple[str, ...]
    daemon: DaemonArguments
    config_path: str
    config: DaemonJson | None
    config_fault: FormatError | None
    config_missing: bool
    faults: tuple[tuple[str, Fault], ...]

    @property
    def flag_entries(self) -> tuple[str, ...]:
        """The registries that flags name."""
        return self.daemon.values(INSECURE_REGISTRY)

    @property
    def config_entries(self) -> tuple[str, ...]:
        """The registries that the configuration file names; empty if it is unusable."""
        return self.config.strings(INSECURE_REGISTRIES) if self.config and not self.config_fault else ()

    @property
    def entries(self) -> tuple[str, ...]:
        """All registries that a start with these files would trust, as written."""
        return tuple(dict.fromkeys((*self.flag_entries, *self.config_entries)))

    @property
    def flag_arguments(self) -> list[tuple[str, Argument, Argument]]:
        """Each registry that a flag names, with the first and the last argument of that flag."""
        return self.find_arguments(INSECURE_REGISTRY)

    @property
    def written_entries(self) -> list[tuple[str, Argument | JsonValue]]:
        """Each registry that a flag or the configuration file names, as it is written, for `locate_entry`."""
        written: list[tuple[str, Argument | JsonValue]] = [(entry, first) for entry, first, _ in self.flag_arguments]
        member = self.config.member(INSECURE_REGISTRIES) if self.config and not self.config_fault else None
        return [*written, *((one.string, one) for one in (member.value.elements if member else ()))]

    def locate_entry(self, part: Argument | JsonValue) -> str:
        """Return where an entry is written, in words. Takes time proportional to the size of the file."""
        if isinstance(part, Argument):
            return self.locate_argument(part)
        return f"{self.config_path} line {self.config.line(part) if self.config else 1}"

    def find_arguments(self, name: str) -> list[tuple[str, Argument, Argument]]:
        """Return the value of each flag `name` on the command line, with its first and its last argument."""
        written = parse_arguments([argument.text for argument in self.arguments])
        return [
            (flag.value, self.arguments[flag.first + written.skipped], self.arguments[flag.last + written.skipped])
            for flag in written.flags
            if flag.name == name
        ]

    def locate_argument(self, argument: Argument) -> str:
        """Return where an argument is written, in words: a variable or ExecStart=, its file and the line."""
        winner = self.winners.get(argument.variable)
        path = winner.path if winner else self.command.path
        files = self.environment_files if isinstance(winner, FileVariable) else self.parsed
        # a word that is composed of several places is located at the beginning of the command
        start = argument.word.start if argument.word else self.command.assignment.start
        line = find_line_number(files[path].text, start)
        return f"{winner.name if winner else 'ExecStart='} in {path} line {line}"

    def list_command_variables(self) -> list[str]:
        """Return the names of the variables that split into arguments, in the order of ExecStart=."""
        if not self.command.expands:
            return []
        names = (parse_whole_variable(word.text) for word in self.command.placed[1:])
        return list(dict.fromkeys(name for name in names if name))


def evaluate(state: NodeState) -> Effective:
    """Evaluate the node's files. Raises RefusedError for what cannot be evaluated, naming file and line."""
    unit = find_unit(state)
    texts = tuple((path, read_content(state.files[path]) or b"") for path in (unit.fragment, *unit.drop_ins))
    parsed, service = _read_service(texts, unit.name)
    command = _require_single_command(unit, service)
    files, faults = read_environment_files(state, service)
    winners = _find_winners(service, files)
    values = {name: _read_meaning(winner) for name, winner in winners.items()}
    environment = remove_unset_variables(service, values)
    winners = {name: winners[name] for name in environment}
    arguments = _build_arguments(unit.name, command, winners, environment)
    if not arguments:
        message = f"ExecStart= in {command.path} is empty, because its variables are not set"
        raise RefusedError("unit-invalid", message, _SEE_UNIT)
    daemon = parse_arguments([argument.text for argument in arguments])
    if not daemon.launcher and not _IS_DOCKERD.fullmatch(command.program.rstrip("/").rpartition("/")[2]):
        # It is not known what a shell or a script does with its arguments, and preflight would run it.
        message = f"ExecStart= in {command.path} starts {command.program} instead of dockerd"
        raise RefusedError("unit-invalid", message, _SEE_UNIT)
    docker = find_docker(state)
    live = docker.argv if docker and not state.offline else None
    if daemon.launcher and live:
        # what the launcher adds is seen in the process only
        daemon = replace(parse_arguments(live), launcher=daemon.launcher)
    config, fault = _read_config(state, daemon.config_file)
    return Effective(
        unit=unit,
        parsed=parsed,
        environment_files=files,
        service=service,
        command=command,
        winners=winners,
        environment=environment,
        arguments=arguments,
        argv=tuple(to_unicode(argument.text) for argument in arguments),
        daemon=daemon,
        config_path=daemon.config_file,
        config=config,
        config_fault=fault,
        config_missing=config is None and fault is None and bool(daemon.values("config-file")),
        faults=(*service.faults, *faults),
    )


def predict_arguments(after: Effective, before: Effective, live: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the arguments of dockerd afterwards, empty if a launcher determines them and dockerd does not run yet.

    %H and other specifiers of the machine have the values of the running daemon, if it runs with `before`.
    """
    if after.daemon.launcher:
        return live if live and after.argv == before.argv else ()
    if live is None or len(live) != len(before.argv):
        return after.argv
    known = dict(zip(before.argv, live, strict=True))
    if any(one != other and "%" not in one for one, other in known.items()):
        return after.argv
    return tuple(known.get(argument, argument) for argument in after.argv)


@lru_cache(maxsize=CACHED_FILES)
def _read_service(texts: tuple[tuple[str, bytes], ...], name: str) -> tuple[Mapping[str, UnitFile], Service]:
    parsed = {path: _parse_unit(path, content) for path, content in texts}
    try:
        return parsed, evaluate_service(parsed.items(), name)
    except ServiceError as error:
        raise refuse_file(error.path, error) from None


def _parse_unit(path: str, content: bytes) -> UnitFile:
    try:
        return parse_unit(content)
    except FormatError as error:
        raise refuse_file(path, error) from None


def _require_single_command(unit: UnitFiles, service: Service) -> Command:
    if len(service.commands) != 1:
        found = "no ExecStart=" if not service.commands else f"{len(service.commands)} ExecStart= lines"
        message = f"{unit.fragment} and its drop-ins leave {found} in effect, but a daemon needs exactly one"
        raise RefusedError("unit-invalid", message, _SEE_UNIT)
    return service.commands[0]


def _find_winners(service: Service, files: Mapping[str, EnvironmentFile]) -> dict[str, Variable | FileVariable]:
    winners: dict[str, Variable | FileVariable] = dict(service.environment)
    for path, document in files.items():
        # rule SD-09, SD-42
        winners.update({line.name: FileVariable(name=line.name, path=path, line=line) for line in document.variables})
    return winners


def _read_meaning(winner: Variable | FileVariable) -> str:
    return winner.meaning if isinstance(winner, Variable) else winner.line.value.text


def _build_arguments(
    unit: str, command: Command, winners: Mapping[str, Variable | FileVariable], environment: Mapping[str, str]
) -> tuple[Argument, ...]:
    arguments = []
    for index, word in enumerate(command.placed):
        name = parse_whole_variable(word.text) if command.expands else None
        # rule SD-34
        if name is not None:
            if name in winners:
                arguments.extend(_split_variable(unit, name, winners[name]))
            continue
        text = replace_variables(word.text, environment) if command.expands else word.text
        arguments.append(Argument(text=text, word=word if text == word.text else None, index=index))
    return tuple(arguments)


def _split_variable(unit: str, name: str, winner: Variable | FileVariable) -> list[Argument]:
    is_unit = isinstance(winner, Variable)
    value = winner.value if isinstance(winner, Variable) else winner.line.value
    return [
        Argument(
            text=expand_specifiers(word.text, unit) if is_unit else word.text, variable=name, word=word, index=index
        )
        for index, word in enumerate(split_value(value))
    ]


def _read_config(state: NodeState, path: str) -> tuple[DaemonJson | None, FormatError | None]:
    content = read_content(state.files[path]) if path in state.files else None
    if content is None:
        return None, None
    try:
        document = parse_daemon_json(content)
    except FormatError as error:
        return None, error
    try:
        document.strings(INSECURE_REGISTRIES)
    except FormatError as error:
        return document, error
    return document, None
