"""The removal of entries: the same edits backwards.

Of the states that the removal can lead to, the barest one is chosen from which adding the entries leads
exactly here: so a line, a key or a file that came with the entry goes with it, and nothing else does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.formats.docker.daemon_json import INSECURE_REGISTRIES, remove_key, remove_strings
from harbor_agent.formats.systemd.arguments import remove_arguments, split_value
from harbor_agent.formats.systemd.service import Variable
from harbor_agent.formats.text import Edit, apply_edits
from harbor_agent.model.policy import RouteChoice
from harbor_agent.planning.docker.edits import entries as edits
from harbor_agent.planning.docker.edits.placement import add_entries
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.docker.in_effect import evaluate_files, summarize
from harbor_agent.planning.docker.matching import normalize_entry
from harbor_agent.planning.docker.state import find_record, read_version
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.systemd.unit_files import VOLATILE

if TYPE_CHECKING:
    from harbor_agent.formats.systemd.arguments import PlacedWord
    from harbor_agent.planning.docker.effective import Argument, Effective
    from harbor_agent.planning.files.workspace import Workspace

_REASON = "the entry is removed"
# A file that would have nothing else left had the assignment before, without a value.
_BARE_HEADER = re.compile(r"\s*(\[Service\])?\s*")
# Each round empties one place; no real unit has more of them.
_MOST_PLACES = 20


def remove_entries(workspace: Workspace, entries: list[str], *, keep_empty_list: bool) -> Workspace:
    """Remove the entries from every place that is in effect.

    `keep_empty_list` leaves `[]` behind in the configuration file: deleting the key and reloading does not
    revoke (moby#36632). Raises RefusedError for an entry that cannot be removed separately.
    """
    for _ in range(_MOST_PLACES):
        effective = evaluate(workspace.state)
        version = read_version(workspace.state)
        held = [found for found in effective.flag_arguments if normalize_entry(found[0], version) in entries]
        if held:
            workspace = _remove_from_flags(workspace, effective, held)
            continue
        listed = [entry for entry in effective.config_entries if normalize_entry(entry, version) in entries]
        if not listed:
            return workspace
        workspace = _remove_from_config(workspace, effective, listed, keep_empty_list=keep_empty_list)
    raise RefusedError("removal-unclear", "the entry is set in more places than can be distinguished")


def _remove_from_flags(
    workspace: Workspace, effective: Effective, held: list[tuple[str, Argument, Argument]]
) -> Workspace:
    variable = held[0][1].variable
    here = [(entry, first, last) for entry, first, last in held if first.variable == variable]
    for entry, first, last in here:
        if first.word is None or last.word is None or last.variable != variable:
            raise RefusedError(
                "removal-unclear",
                f"--insecure-registry={entry} cannot be removed separately from ExecStart= in {effective.command.path}",
                "fix the unit by hand; 'systemctl cat docker' shows all of it",
            )
    path, placed, line = _locate_variable(effective, variable)
    if path.startswith(VOLATILE):
        message = f"{path} has --insecure-registry={here[0][0]}, and is created again at each boot"
        raise RefusedError("removal-unclear", message, "remove it in the source of that file")
    text = edits.read_text(workspace, path)
    ranges = [(first.index, last.index) for _, first, last in here]
    plain = workspace.write(path, apply_edits(text, remove_arguments(text, placed, ranges)), _REASON)
    barest = [workspace.delete(path, _REASON)] if _is_ours(workspace, path) else []
    shorter = [apply_edits(text, [Edit(start=start, end=line[1])]) for start in line[0]]
    barest += [workspace.write(path, rest, _REASON) for rest in shorter if not _BARE_HEADER.fullmatch(rest)]
    return _find_barest(workspace, path, barest, [entry for entry, _, _ in here]) or plain


def _locate_variable(effective: Effective, variable: str) -> tuple[str, list[PlacedWord], tuple[list[int], int]]:
    """Return the file, the words of the value, and where the lines to delete may begin and where they end."""
    if not variable:
        command = effective.command
        assignments = effective.parsed[command.path].assignments
        index = assignments.index(command.assignment)
        starts = [assignments[index - 1].start] if index else []
        return (
            command.path,
            list(command.placed),
            _include_header(effective, command.path, starts, command.assignment.end),
        )
    winner = effective.winners[variable]
    if isinstance(winner, Variable):
        lines = _include_header(effective, winner.path, [winner.assignment.start], winner.assignment.end)
        return winner.path, split_value(winner.value), lines
    return winner.path, split_value(winner.line.value), ([winner.line.start], winner.line.end)


def _include_header(effective: Effective, path: str, starts: list[int], end: int) -> tuple[list[int], int]:
    """Let the deletion begin at a section header right before, too."""
    text = effective.parsed[path].text
    headers = ("[Service]\r\n", "[Service]\n")
    found = [start - len(header) for start in starts for header in headers if text[:start].endswith(header)]
    return [*found, *starts], end


def _remove_from_config(
    workspace: Workspace, effective: Effective, listed: list[str], *, keep_empty_list: bool
) -> Workspace:
    if effective.config is None:
        return workspace
    text = remove_strings(effective.config, INSECURE_REGISTRIES, set(listed))
    plain = edits.write_config(workspace, effective, text, _REASON)
    if keep_empty_list or set(listed) != set(effective.config_entries):
        return plain
    path = effective.config_path
    without_key = edits.write_config(workspace, effective, remove_key(effective.config, INSECURE_REGISTRIES), _REASON)
    barest = [workspace.delete(path, _REASON)] if _is_ours(workspace, path) else []
    return _find_barest(workspace, path, [*barest, without_key], listed) or plain


def _is_ours(workspace: Workspace, path: str) -> bool:
    """Whether this tool created the file; in a file system tree without a record the file alone decides."""
    record = find_record(workspace.state)
    return path in record.created_files if record else workspace.state.offline


def _find_barest(workspace: Workspace, path: str, barest: list[Workspace], entries: list[str]) -> Workspace | None:
    """Return the first workspace from which adding the entries leads to the present file."""
    here = workspace.file(path)
    before = evaluate_files(workspace.state)
    for candidate in barest:
        for choice in RouteChoice:
            try:
                effective = evaluate(candidate.state)
                changed = summarize(candidate.state, effective).foreign != before.foreign
                if changed or set(entries) & set(effective.entries):
                    break
                again = add_entries(candidate, effective, entries, choice)[0].workspace.file(path)
            except RefusedError:
                continue
            if again.content == here.content:
                return candidate
    return None
