"""The systemd unit that starts containerd, and what its files say of the process."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.formats.systemd.service import ServiceError, evaluate_service
from harbor_agent.formats.systemd.unit import parse_unit
from harbor_agent.formats.text import FormatError
from harbor_agent.planning.files.workspace import read_content
from harbor_agent.planning.refusal import refuse_file
from harbor_agent.planning.systemd.unit_files import find_unit_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.state import FileState

USUAL_NAME = "containerd.service"
_STARTS_CONTAINERD = re.compile(rb"""^ExecStart=(?:.*[/ ."'])?containerd["']?(?:[ \r\n]|\Z)""", re.MULTILINE)
# systemd.kill(5): systemd's default kills what the daemon started.
DEFAULT_KILL_MODE = "control-group"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSettings:
    """The arguments of containerd, "" for a configuration file or address that they do not name, and KillMode."""

    arguments: tuple[str, ...]
    config_file: str
    socket: str
    kill_mode: str


def read_unit(files: Mapping[str, FileState], name: str) -> UnitSettings | None:
    """Evaluate the unit's files; None if there are none, or if they do not start one command.

    Raises RefusedError for files that systemd cannot read.
    """
    unit = find_unit_files(files, name)
    if unit is None:
        return None
    parsed = {}
    for path in (unit.fragment, *unit.drop_ins):
        try:
            parsed[path] = parse_unit(read_content(files[path]) or b"")
        except FormatError as error:
            raise refuse_file(path, error) from None
    try:
        service = evaluate_service(parsed.items(), name)
    except ServiceError as error:
        raise refuse_file(error.path, error) from None
    kill_mode = DEFAULT_KILL_MODE
    for file in parsed.values():
        for assignment in file.assignments:
            if assignment.section == "Service" and assignment.key == "KillMode":
                kill_mode = assignment.value.strip() or DEFAULT_KILL_MODE
    if len(service.commands) != 1:
        return None
    words = tuple(word.text for word in service.commands[0].placed)
    return UnitSettings(
        arguments=words,
        config_file=find_option(words, "c", "config"),
        socket=find_option(words, "a", "address"),
        kill_mode=kill_mode,
    )


def starts_containerd(unit: bytes) -> bool:
    """Whether a unit file starts containerd, itself or through a launcher."""
    return _STARTS_CONTAINERD.search(unit) is not None


def find_option(words: tuple[str, ...], *names: str) -> str:
    """Return the last value of an option, given with "=" or as the next word; Go takes one dash or two."""
    found = ""
    for word, following in zip(words, (*words[1:], ""), strict=True):
        name, separator, value = word.lstrip("-").partition("=")
        if word.startswith("-") and name in names:
            found = value if separator else following
    return found
