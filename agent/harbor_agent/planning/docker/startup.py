"""Whether dockerd would start with the files, or accept them on a reload."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.docker.arguments import find_conflicts, parse_arguments
from harbor_agent.formats.docker.daemon_json import INSECURE_REGISTRIES, REGISTRY_MIRRORS
from harbor_agent.planning.docker.checks.config import find_unknown_keys, find_wrong_types
from harbor_agent.planning.docker.checks.entries import find_entry_fault
from harbor_agent.planning.docker.state import docker_started_with, find_docker, read_version

if TYPE_CHECKING:
    from harbor_agent.formats.docker.daemon_json import DaemonJson
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.docker.effective import Effective

# moby#43739: before, a configuration file of 0 bytes or with a byte order mark ends dockerd.
_BLANK_CONFIG_SINCE = (23, 0, 0)
# moby#46594, moby#46944: before, a mirror has no path.
_MIRROR_PATH_SINCE = (24, 0, 8)
_MIRROR = re.compile(r"https?://(?:\[[^\s\[\]]*\]|[^\s/?#@:\[\]]*)(?::\d*)?(?P<path>/[^\s?#]*)?\Z", re.IGNORECASE)
# Before, dockerd does not know the key and refuses the file.
_CONFIG_KEY_SINCE = (1, 12, 0)


# The first is reported; a file full of them takes no longer to judge.
_MOST_OF_A_KIND = 10


class FaultKind(Enum):
    """The kind of fault: in the setting that is planned, fixed by any edit of the file, or in another setting."""

    OWN_CONFLICT = "own-conflict"
    OWN_TYPE = "own-type"
    BLANK = "blank"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFault:
    """Why dockerd would not start with these files; `subject` is the entry at fault, if it is one."""

    kind: FaultKind
    problem: Problem
    subject: str = ""

    def is_same(self, other: StartFault) -> bool:
        """Whether both are one fault, wherever it is written."""
        return (self.problem.code, self.subject) == (other.problem.code, other.subject)


def accepts_blank_config(state: NodeState) -> bool:
    """Whether this dockerd accepts an empty configuration file or a byte order mark; false for an unknown version."""
    version = read_version(state)
    return version is not None and version >= _BLANK_CONFIG_SINCE


def knows_config_key(state: NodeState) -> bool:
    """Whether this dockerd knows insecure-registries in its configuration file; true if its version is unknown."""
    version = read_version(state)
    # rule DD-14
    return version is None or version >= _CONFIG_KEY_SINCE


def find_start_faults(state: NodeState, effective: Effective) -> list[StartFault]:
    """Return the faults with which dockerd would not start, or not accept the file on a reload."""
    return [
        *_find_argument_faults(state, effective),
        *_find_config_faults(state, effective),
        *_find_conflicts(effective),
        *_find_entry_faults(state, effective),
    ]


def _find_entry_faults(state: NodeState, effective: Effective) -> list[StartFault]:
    version = read_version(state)
    judged = ((entry, part, find_entry_fault(entry, version)) for entry, part in effective.written_entries)
    found = []
    for entry, part, reason in islice((one for one in judged if one[2]), _MOST_OF_A_KIND):
        # an entry that is not an address may hold a password
        shown = entry if "@" not in entry else "one with a user"
        message = f"{effective.locate_entry(part)}: dockerd does not start with the entry '{shown}': {reason}"
        hint = f"fix or remove it there; or remove it with: --absent --registry '{shown}'"
        problem = Problem(code="entry-invalid", message=message, hint=hint)
        found.append(StartFault(kind=FaultKind.FOREIGN, problem=problem, subject=entry))
    return found


def _find_argument_faults(state: NodeState, effective: Effective) -> list[StartFault]:
    operands = effective.daemon.operands
    docker = find_docker(state)
    live = docker.argv if docker else None
    # rule DD-06
    if not operands or (live and parse_arguments(live).operands == operands):
        return []
    message = f"dockerd would get '{operands[0]}', which is not a flag, from {_locate_operand(effective, operands[0])}"
    hint = "fix the value by hand; systemd splits it into words without a shell"
    return [_build_foreign_fault("arguments-invalid", message, hint)]


def _locate_operand(effective: Effective, operand: str) -> str:
    return effective.locate_argument(next(one for one in reversed(effective.arguments) if one.text == operand))


def _find_config_faults(state: NodeState, effective: Effective) -> list[StartFault]:
    path, config, fault = effective.config_path, effective.config, effective.config_fault
    if effective.config_missing:
        return [
            _build_foreign_fault(
                "config-missing", f"dockerd is configured to read {path}, which does not exist", "create it"
            )
        ]
    if fault:
        problem = Problem(
            code="file-invalid",
            message=f"{path} line {fault.line}: {fault.reason}",
            hint="dockerd would not start again with it: fix the file by hand",
        )
        return [StartFault(kind=FaultKind.OWN_TYPE if config else FaultKind.FOREIGN, problem=problem)]
    if config is None:
        return []
    found = []
    # rule DD-13
    if (config.root is None or config.has_mark) and not accepts_blank_config(state):
        what, hint = "is empty", "write {} into it, or remove it"
        if config.root is not None:
            what, hint = "begins with a byte order mark", "save it as UTF-8 without the mark"
        message = f"{path} line 1: it {what}, which dockerd before 23.0 does not start with"
        problem = Problem(code="config-blank", message=message, hint=hint)
        found.append(StartFault(kind=FaultKind.BLANK, problem=problem))
    if config.member(INSECURE_REGISTRIES) and not knows_config_key(state):
        found.append(
            _build_foreign_fault(
                "config-key-unknown", f"{path}: dockerd before 1.12 does not know the key", "remove it"
            )
        )
    if not docker_started_with(state, path):
        found += _find_option_faults(state, path, config)
    return [*found, *_find_mirror_faults(state, path, config)]


def _find_option_faults(state: NodeState, path: str, config: DaemonJson) -> list[StartFault]:
    """Return the keys and values with which dockerd does not start, of each kind the first ones."""
    found = []
    for member, reason in islice(find_unknown_keys(config, read_version(state)), _MOST_OF_A_KIND):
        message = (
            f"{path} line {config.line(member)}: dockerd does not start with the key '{member.key}', which {reason}"
        )
        found.append(_build_foreign_fault("config-key-unknown", message, "fix the key, or remove it"))
    for member, needed in islice(find_wrong_types(config), _MOST_OF_A_KIND):
        message = f"{path} line {config.line(member)}: dockerd does not start, because '{member.key}' must be {needed}"
        found.append(_build_foreign_fault("config-value-invalid", message, "fix the value"))
    return found


def _find_mirror_faults(state: NodeState, path: str, config: DaemonJson) -> list[StartFault]:
    """Return the mirrors that dockerd does not start with; before 23.0 a reload takes the rest of such a file."""
    member = config.member(REGISTRY_MIRRORS)
    version = read_version(state)
    has_paths = version is None or version >= _MIRROR_PATH_SINCE
    found = []
    for value in member.value.elements if member else ():
        match = _MIRROR.match(value.string)
        # rule DD-24
        if match and (has_paths or match["path"] in (None, "/")):
            continue
        # an invalid address may hold a password
        shown = value.string if "@" not in value.string else "one with a user"
        message = (
            f"{path} line {config.line(value)}: dockerd does not start with the mirror '{shown}',"
            " which is not http:// or https:// with a host" + (" and nothing else" if not has_paths else "")
        )
        found.append(_build_foreign_fault("mirror-invalid", message, f"fix it in {path}, or remove it"))
    return found


def _find_conflicts(effective: Effective) -> list[StartFault]:
    config = effective.config
    if config is None:
        return []
    faults = []
    for flag, key in find_conflicts(effective.daemon, config.keys):
        member = config.member(key)
        line = config.line(member) if member else 1
        problem = Problem(
            code="configuration-conflict",
            message=f"{effective.config_path} line {line}: '{key}' is set there and by the flag --{flag},"
            " and dockerd neither starts nor reloads with both",
            hint="keep one of the two; 'dockerd --validate' checks it since 23.0",
        )
        # rule DD-09
        kind = FaultKind.OWN_CONFLICT if key == INSECURE_REGISTRIES else FaultKind.FOREIGN
        faults.append(StartFault(kind=kind, problem=problem))
    return faults


def _build_foreign_fault(code: str, message: str, hint: str) -> StartFault:
    return StartFault(kind=FaultKind.FOREIGN, problem=Problem(code=code, message=message, hint=hint))
