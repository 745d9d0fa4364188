"""The place of new entries: what reaches dockerd decides, and every answer is checked by evaluating the result."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from harbor_agent.formats.docker.arguments import INSECURE_REGISTRY
from harbor_agent.formats.docker.daemon_json import INSECURE_REGISTRIES
from harbor_agent.formats.systemd.service import Variable
from harbor_agent.model.plan import Route
from harbor_agent.model.policy import RouteChoice
from harbor_agent.planning.docker.edits import entries as edits
from harbor_agent.planning.docker.edits.render import DOCKER_OPTS
from harbor_agent.planning.docker.effective import FileVariable, evaluate
from harbor_agent.planning.docker.in_effect import summarize
from harbor_agent.planning.docker.matching import normalize_listed_entry
from harbor_agent.planning.docker.startup import knows_config_key
from harbor_agent.planning.docker.state import read_version
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.runtime import takes_effect
from harbor_agent.planning.systemd.unit_files import VOLATILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harbor_agent.planning.docker.effective import Effective
    from harbor_agent.planning.files.workspace import Workspace

DROP_IN_NAME = "docker-options.conf"
# In the order of preference: the second where the first is masked, the third where a later drop-in wins.
_DROP_IN_NAMES = (DROP_IN_NAME, "60-insecure-registry.conf", "zz-docker-options.conf")
_NAMED_AFTER_THE_FLAG = re.compile(r"(?:\A|_)INSECURE_REGISTR(?:Y|IES)(?:\Z|_)")
_GENERAL = re.compile(r"(?:DOCKERD?_)?(?:DAEMON_|EXTRA_)?(?:OPTS|OPTIONS|ARGS|FLAGS)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The workspace with the entries in place, the route they took, and one plain sentence why."""

    workspace: Workspace
    route: Route
    reason: str


def add_entries(
    workspace: Workspace, effective: Effective, entries: list[str], choice: RouteChoice
) -> tuple[Placement, Effective]:
    """Add the entries in a place where they take effect, and return what dockerd runs with then.

    Raises RefusedError if no allowed place does.
    """
    state = workspace.state
    before = summarize(state, effective)
    added = [normalize_listed_entry(entry, read_version(state)) for entry in entries]
    for attempt in _list_attempts(workspace, effective, entries, choice):
        placement = attempt()
        if placement is None:
            continue
        after = evaluate(placement.workspace.state)
        if takes_effect(before, summarize(state, after), added=added):
            return placement, after
    where = f"; {effective.command.path} sets ExecStart= last" if choice is RouteChoice.DROP_IN else ""
    raise RefusedError(
        "route-ineffective",
        f"the entry would not reach dockerd by this route{where}",
        "use --route auto, or check 'systemctl cat docker' for later settings",
    )


def _list_attempts(
    workspace: Workspace, effective: Effective, entries: list[str], choice: RouteChoice
) -> Iterator[Callable[[], Placement | None]]:
    match choice:
        case RouteChoice.AUTO:
            return _list_auto_attempts(workspace, effective, entries)
        case RouteChoice.DROP_IN:
            return _list_drop_in_attempts(workspace, effective, entries)
        case RouteChoice.DAEMON_JSON:
            return _list_config_attempts(workspace, effective, entries)


def list_preferred_variables(effective: Effective) -> list[str]:
    """Return the variables that may take an entry, best first.

    First those that hold one (the last on the command line), then $DOCKER_OPTS, then one named after the flag,
    then a general one that is set.
    """
    names = effective.list_command_variables()
    holders = [first.variable for _, first, last in reversed(effective.flag_arguments) if first.variable]
    named = [name for name in names if _NAMED_AFTER_THE_FLAG.search(name)]
    general = [name for name in names if _GENERAL.fullmatch(name) and name in effective.winners]
    common = [DOCKER_OPTS] if DOCKER_OPTS in names else []
    return list(dict.fromkeys((*holders, *common, *named, *general)))


def _list_auto_attempts(
    workspace: Workspace, effective: Effective, entries: list[str]
) -> Iterator[Callable[[], Placement | None]]:
    if effective.config and effective.config.member(INSECURE_REGISTRIES):
        reason = f"{effective.config_path} already has {INSECURE_REGISTRIES}, so the entry goes there"
        yield partial(_place_in_config, workspace, effective, entries, reason)
        return
    for name in list_preferred_variables(effective):
        yield from _list_variable_attempts(workspace, effective, name, entries)
    if effective.flag_entries:
        yield from _list_command_attempts(workspace, effective, entries)
    elif knows_config_key(workspace.state):
        reason = f"no variable that can be set reaches dockerd, so the entry goes to {effective.config_path}"
        yield partial(_place_in_config, workspace, effective, entries, reason)
    for name in _DROP_IN_NAMES:
        yield partial(_replace_exec_start, workspace, effective, name, entries)


def _list_drop_in_attempts(
    workspace: Workspace, effective: Effective, entries: list[str]
) -> Iterator[Callable[[], Placement | None]]:
    if effective.config and effective.config.member(INSECURE_REGISTRIES):
        raise RefusedError(
            "route-fatal",
            f"{effective.config_path} holds {INSECURE_REGISTRIES}; dockerd does not start with a flag beside it",
            "use --route auto, which edits that file, or remove the key first",
        )
    edits.read_text(workspace, _build_drop_in_path(effective, DROP_IN_NAME))
    if DOCKER_OPTS in effective.list_command_variables():
        winner = effective.winners.get(DOCKER_OPTS)
        if isinstance(winner, Variable) and winner.path == _build_drop_in_path(effective, DROP_IN_NAME):
            yield partial(_place_in_assignment, workspace, winner, entries)
        elif not isinstance(winner, FileVariable):
            yield partial(_place_in_drop_in, workspace, effective, DOCKER_OPTS, DROP_IN_NAME, entries)
    yield partial(_replace_exec_start, workspace, effective, DROP_IN_NAME, entries)


def _list_config_attempts(
    workspace: Workspace, effective: Effective, entries: list[str]
) -> Iterator[Callable[[], Placement | None]]:
    if effective.flag_entries:
        _, first, _ = effective.flag_arguments[-1]
        winner = effective.winners.get(first.variable)
        path = winner.path if winner else effective.command.path
        raise RefusedError(
            "route-fatal",
            f"{path} sets --{INSECURE_REGISTRY}; dockerd does not start with the key beside it",
            "use --route auto, which adds to that flag",
        )
    if not knows_config_key(workspace.state):
        message = "dockerd before 1.12 does not know insecure-registries in its configuration file"
        raise RefusedError("route-fatal", message, "use --route auto")
    reason = f"--route daemon-json: the entry goes to {effective.config_path}"
    yield partial(_place_in_config, workspace, effective, entries, reason)


def _list_variable_attempts(
    workspace: Workspace, effective: Effective, name: str, entries: list[str]
) -> Iterator[Callable[[], Placement | None]]:
    winner = effective.winners.get(name)
    if isinstance(winner, FileVariable):
        if not winner.path.startswith(VOLATILE):
            yield partial(_place_in_assignment, workspace, winner, entries)
        return
    if isinstance(winner, Variable) and effective.unit.is_administrators(winner.path):
        yield partial(_place_in_assignment, workspace, winner, entries)
        return
    if winner is None and name != DOCKER_OPTS:
        path = _find_similar_file(effective)
        if path:
            yield partial(_place_in_new_line, workspace, effective, path, name, entries)
    for drop_in in _DROP_IN_NAMES:
        yield partial(_place_in_drop_in, workspace, effective, name, drop_in, entries)


def _list_command_attempts(
    workspace: Workspace, effective: Effective, entries: list[str]
) -> Iterator[Callable[[], Placement | None]]:
    path = effective.command.path
    if effective.unit.is_administrators(path):
        reason = f"ExecStart= in {path} has --{INSECURE_REGISTRY}, so the entry goes there"
        yield partial(_extend_exec_start, workspace, effective, entries, reason)


def _extend_exec_start(workspace: Workspace, effective: Effective, entries: list[str], reason: str) -> Placement:
    changed = edits.add_to_command(workspace, effective, entries)
    return Placement(workspace=changed, route=Route.UNIT_FLAG, reason=reason)


def _place_in_config(workspace: Workspace, effective: Effective, entries: list[str], reason: str) -> Placement:
    changed = edits.add_to_config(workspace, effective, entries)
    return Placement(workspace=changed, route=Route.DAEMON_JSON, reason=reason)


def _place_in_assignment(workspace: Workspace, winner: Variable | FileVariable, entries: list[str]) -> Placement:
    route = Route.DROP_IN if isinstance(winner, Variable) else Route.ENVIRONMENT_FILE
    reason = f"${winner.name} reaches dockerd and {winner.path} sets it last, so the entry goes there"
    return Placement(workspace=edits.add_to_variable(workspace, winner, entries), route=route, reason=reason)


def _place_in_new_line(
    workspace: Workspace, effective: Effective, path: str, name: str, entries: list[str]
) -> Placement:
    reason = f"${name} reaches dockerd and no file sets it, so it is set in {path} beside similar ones"
    changed = edits.add_variable_line(workspace, effective, path, name, entries)
    return Placement(workspace=changed, route=Route.ENVIRONMENT_FILE, reason=reason)


def _place_in_drop_in(
    workspace: Workspace, effective: Effective, name: str, drop_in: str, entries: list[str]
) -> Placement | None:
    path = _build_drop_in_path(effective, drop_in)
    if path in effective.unit.masked:
        return None
    winner = effective.winners.get(name)
    copied = winner if isinstance(winner, Variable) else None
    reason = f"${name} reaches dockerd and no file sets it; setting it in {path}"
    if copied:
        reason = f"${name} reaches dockerd and {copied.path} belongs to a package, so {path} repeats it"
    changed = edits.add_drop_in(workspace, path, name, entries, copied)
    return Placement(workspace=changed, route=Route.DROP_IN, reason=reason)


def _replace_exec_start(
    workspace: Workspace, effective: Effective, drop_in: str, entries: list[str]
) -> Placement | None:
    path = _build_drop_in_path(effective, drop_in)
    if path in effective.unit.masked:
        return None
    reason = f"no variable that can be set reaches dockerd, so {path} repeats ExecStart= with the flag, at a restart"
    changed = edits.add_exec_start(workspace, effective, path, entries)
    return Placement(workspace=changed, route=Route.DROP_IN, reason=reason)


def _build_drop_in_path(effective: Effective, name: str) -> str:
    return f"{effective.unit.drop_in_directory}/{name}"


def _find_similar_file(effective: Effective) -> str | None:
    """Return the first lasting environment file that sets a variable of the command line."""
    names = set(effective.list_command_variables())
    for path, document in effective.environment_files.items():
        if not path.startswith(VOLATILE) and any(line.name in names for line in document.variables):
            return path
    return None
