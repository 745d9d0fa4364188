"""Warnings about a node: they stop nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.docker.daemon_json import DEAD_KEY, INSECURE_REGISTRIES
from harbor_agent.model.plan import Action
from harbor_agent.planning.docker.action import find_stopped_daemon
from harbor_agent.planning.docker.checks.certificates import FOLDER, find_folder_fault
from harbor_agent.planning.docker.checks.latent import find_changed_files
from harbor_agent.planning.docker.matching import LOOPBACK, find_cover, find_near_misses, normalize_entry
from harbor_agent.planning.docker.state import find_docker, find_record, read_version
from harbor_agent.planning.runtime import find_unrequested_entries
from harbor_agent.planning.systemd.environment import find_version_dependent_lines
from harbor_agent.planning.trust_store import warn_of_reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.model.plan import FileChange
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.docker.effective import Effective
    from harbor_agent.planning.docker.matching import Version

_BUILDKIT_SINCE = (23, 0, 0)
# Of a file full of faults, only the first ones are listed.
_MOST_OF_A_KIND = 10
_FIX_LINE = "delete the line, or fix it: the next restart applies it"
_CHECK_EDIT = "find out who changed it, and check that dockerd starts with it: the next restart applies it"
_READ_THEM = "'systemctl daemon-reload' loads them and restarts nothing; a change that restarts docker does so first"


def find_warnings(state: NodeState, effective: Effective, desired: DesiredState) -> list[Problem]:
    """Return the warnings about files and daemon before any change; of each kind the first ones."""
    found = [
        *find_unrequested_entries(find_record(state), desired),
        *_check_entries(state, effective, desired),
        *_check_config(effective),
        *_find_skipped_lines(effective),
        *_find_swallowed_lines(effective),
        *_compare_with_daemon(state, effective),
        *_check_certificates(state, effective, desired),
    ]
    by_code: dict[str, list[Problem]] = {}
    for problem in found:
        by_code.setdefault(problem.code, []).append(problem)
    return [problem for problems in by_code.values() for problem in _limit(problems)]


def find_unread_certificates(
    changes: Sequence[FileChange], action: Action, state: NodeState, effective: Effective
) -> Iterator[Problem]:
    """Yield warnings about changed certificates that a part of the running dockerd does not read."""
    restarts = action is Action.RESTART
    yield from warn_of_reading(changes, "dockerd", restarts=restarts, offline=state.offline)
    changed = [change.path for change in changes if change.path.startswith(f"{FOLDER}/")]
    # rule DD-31
    if changed and not restarts and not state.offline and _builds_with_buildkit(state, effective):
        yield Problem(
            code="certificate-not-in-builds",
            message=f"builds with dockerd's BuildKit do not see {', '.join(changed)} before dockerd restarts",
            hint="if images are built on this node, restart docker at a quiet time; pulls and logins do not need it",
        )


def _builds_with_buildkit(state: NodeState, effective: Effective) -> bool:
    """Whether `docker build` uses BuildKit: by default, or because daemon.json asks for it."""
    features = json.loads(effective.config.raw("features") or "null") if effective.config else None
    chosen = features.get("buildkit") if isinstance(features, dict) else None
    version = read_version(state)
    return chosen is True or (chosen is None and version is not None and version >= _BUILDKIT_SINCE)


def _limit(problems: list[Problem]) -> list[Problem]:
    more = len(problems) - _MOST_OF_A_KIND
    rest = [Problem(code=problems[0].code, message=f"and {more} more like it")] if more > 0 else []
    return [*problems[:_MOST_OF_A_KIND], *rest]


def _check_entries(state: NodeState, effective: Effective, desired: DesiredState) -> Iterator[Problem]:
    version = read_version(state)
    for address in desired.present:
        for entry in find_near_misses(address, effective.entries, version):
            yield Problem(
                code="entry-does-not-match",
                message=f"'{entry}' is trusted, but dockerd matches host and port exactly: it is not {address.entry}",
                hint="image names are matched as written, with their port or without one",
            )
    for address in desired.absent:
        for entry in find_near_misses(address, effective.entries, version):
            if normalize_entry(entry, version).lower() == address.entry.lower():
                yield Problem(
                    code="entry-does-not-match",
                    message=f"'{entry}' stays trusted: dockerd matches names as written, and it is not {address.entry}",
                    hint=f"to remove it too, add --registry {entry}",
                )
        rest = [entry for entry in effective.entries if entry != address.entry]
        cover = find_cover(address, rest, version=version)
        if cover:
            message = f"{address.entry} stays trusted through {cover}, which this run does not remove"
            yield Problem(code="still-covered", message=message, hint=_describe_way_out(cover, effective, version))


def _describe_way_out(cover: str, effective: Effective, version: Version | None) -> str:
    """Return how to remove a range: this tool removes single registries only."""
    for entry, part in effective.written_entries:
        if normalize_entry(entry, version) == cover:
            return f"if no other registry needs it, remove the range by hand: {effective.locate_entry(part)}"
    if cover == LOOPBACK:
        return "dockerd always trusts it; this cannot be changed"
    return "remove the range by hand; 'systemctl cat docker' shows what starts dockerd with it"


def _check_config(effective: Effective) -> Iterator[Problem]:
    config = effective.config
    if config is None:
        return
    path = effective.config_path
    dead = config.member(DEAD_KEY)
    # rule DD-23
    if dead:
        yield Problem(
            code="dead-key",
            message=f"{path} line {config.line(dead)}: '{DEAD_KEY}' is ignored, the key is '{INSECURE_REGISTRIES}'",
            hint="remove it by hand: it has no effect",
        )
    seen = [member for member in config.members if member.key == INSECURE_REGISTRIES]
    if len(seen) > 1:
        where = f"{path} line {config.line(seen[0])}"
        message = f"{where}: '{INSECURE_REGISTRIES}' is there {len(seen)} times, and only the last one counts"
        yield Problem(code="duplicate-key", message=message, hint="remove the others by hand")


def _find_skipped_lines(effective: Effective) -> Iterator[Problem]:
    for path, fault in effective.faults:
        yield Problem(code="line-skipped", message=f"{path} line {fault.line}: {fault.reason}", hint=_FIX_LINE)


def _find_swallowed_lines(effective: Effective) -> Iterator[Problem]:
    names = effective.list_command_variables()
    for path, line, name in find_version_dependent_lines(effective.environment_files):
        if name in names:
            yield Problem(
                code="comment-continues",
                message=f"{path} line {line}: {name} follows a comment that ends in a backslash; systemd before 254"
                " ignores the line, and systemd 254 and later uses it",
                hint="remove the backslash or the line, or an update of systemd changes what dockerd runs with",
            )


def _compare_with_daemon(state: NodeState, effective: Effective) -> Iterator[Problem]:
    docker = find_docker(state)
    if docker is None or state.offline:
        return
    if stopped := find_stopped_daemon(state):
        yield stopped
    if docker.unit.need_daemon_reload:
        message = f"systemd has not loaded the current files of {docker.unit.name}"
        yield Problem(code="daemon-reload-pending", message=message, hint=_READ_THEM)
    for path in find_changed_files(state, effective):
        message = f"{path} changed after dockerd started: the running dockerd has not read it, or only by a reload"
        yield Problem(code="latent-edit", message=message, hint=_CHECK_EDIT)
    loaded = {_merge_lib(path) for path in docker.unit.drop_in_paths}
    unseen = loaded - {_merge_lib(path) for path in (*effective.unit.drop_ins, *effective.unit.masked)}
    for path in sorted(unseen):
        message = f"systemd has loaded {path}, which is not among the unit's files"
        yield Problem(code="drop-in-unseen", message=message, hint="check 'systemctl cat docker'")
    is_known = not effective.daemon.launcher and not any("%" in one for one in effective.argv)
    if docker.argv is not None and docker.argv != effective.argv and is_known:
        yield Problem(
            code="arguments-pending",
            message="dockerd runs with other arguments than its files specify; the next restart applies "
            + " ".join(effective.argv),
            hint="if that is intended, restart it at a quiet time; otherwise check 'systemctl cat docker'",
        )


def _merge_lib(path: str) -> str:
    return f"/usr{path}" if path.startswith("/lib/") else path


def _check_certificates(state: NodeState, effective: Effective, desired: DesiredState) -> Iterator[Problem]:
    docker = find_docker(state)
    for address in (*desired.present, *desired.secure):
        if fault := find_folder_fault(docker.certificate_files if docker else {}, address.entry):
            yield fault
    for address in desired.secure:
        resolved = next((one.resolved for one in state.reachability if one.entry == address.entry), None)
        cover = find_cover(address, effective.entries, version=read_version(state), resolved=resolved or ())
        if cover and address.entry not in (one.entry for one in desired.absent):
            yield Problem(
                code="certificate-unverified",
                message=f"dockerd accepts any certificate from {address.entry}: its insecure registries have {cover}",
                hint=f"to have the certificate verified, remove it: --absent --registry {cover}",
            )
