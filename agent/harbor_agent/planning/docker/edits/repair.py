"""The repair of the setting that is planned, before entries are added to it.

A repair that activates or deletes settings requires `--repair`; the caller checks that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.formats.docker.daemon_json import INSECURE_REGISTRIES, remove_key, replace_strings
from harbor_agent.formats.json_text import JsonKind
from harbor_agent.formats.systemd.arguments import split_value
from harbor_agent.formats.text import LINE_END, Edit, apply_edits, find_line_end
from harbor_agent.planning.docker.edits import entries as edits
from harbor_agent.planning.docker.edits.placement import list_preferred_variables
from harbor_agent.planning.docker.effective import FileVariable, evaluate
from harbor_agent.planning.docker.startup import FaultKind
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection

    from harbor_agent.formats.systemd.service import BrokenVariable
    from harbor_agent.planning.docker.effective import Effective
    from harbor_agent.planning.files.workspace import Workspace

_JOINS = re.compile(r"\\[\r\n]+\Z")
_BLANKS_BEHIND_BACKSLASH = re.compile(r"\\[ \t]+(?=[\r\n]|\Z)")
# One repair may uncover the next fault.
_MOST_REPAIRS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """The workspace after the repair.

    `entries` were removed from one place and must be added to the other; `faults` describes what was wrong.
    """

    workspace: Workspace
    entries: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def repair(workspace: Workspace, effective: Effective, kinds: Collection[FaultKind]) -> Repair:
    """Repair the planned setting, whose faults are of these kinds. Raises RefusedError if the repair is not clear."""
    faults: list[str] = []
    entries: tuple[str, ...] = ()
    if FaultKind.OWN_TYPE in kinds:
        workspace = _repair_list(workspace, effective)
        faults.append(f"{effective.config_path}: '{INSECURE_REGISTRIES}' is not a list of strings")
    elif FaultKind.OWN_CONFLICT in kinds and effective.config and effective.flag_entries:
        entries = tuple(entry for entry in effective.config_entries if entry not in effective.flag_entries)
        text = remove_key(effective.config, INSECURE_REGISTRIES)
        workspace = edits.write_config(workspace, effective, text, "the flag stays, the key beside it is removed")
        faults.append(f"{INSECURE_REGISTRIES} is set by a flag and in {effective.config_path}")
    if faults:
        effective = evaluate(workspace.state)
    for name in list_preferred_variables(effective)[:1]:
        workspace, found = _repair_variable(workspace, effective, name)
        faults += found
    return Repair(workspace=workspace, entries=entries, faults=tuple(faults))


def _repair_list(workspace: Workspace, effective: Effective) -> Workspace:
    config = effective.config
    member = config.member(INSECURE_REGISTRIES) if config else None
    if config is None or member is None:
        return workspace
    value = member.value
    candidates = (value,) if value.kind is JsonKind.STRING else value.elements
    strings = [one.string for one in candidates if one.kind is JsonKind.STRING]
    text = replace_strings(config, INSECURE_REGISTRIES, strings)
    return edits.write_config(workspace, effective, text, f"{INSECURE_REGISTRIES} must be a list of strings")


def _repair_variable(workspace: Workspace, effective: Effective, name: str) -> tuple[Workspace, list[str]]:
    winner = effective.winners.get(name)
    if isinstance(winner, FileVariable):
        return _expand_own_value(workspace, effective, winner)
    faults: list[str] = []
    for _ in range(_MOST_REPAIRS):
        broken = [one for one in effective.service.broken if one.name == name]
        if name in effective.winners or not broken:
            return workspace, faults
        one = broken[-1]
        faults = faults or [f"{one.path} line {one.assignment.line}: {one.reason}, so systemd drops {name}"]
        workspace = _repair_line(workspace, one)
        effective = evaluate(workspace.state)
    raise RefusedError("assignment-broken", faults[0], "fix the line by hand")


def _repair_line(workspace: Workspace, broken: BrokenVariable) -> Workspace:
    """Remove blanks after a backslash that should continue the line, or else close the quote at the end of the line."""
    text = edits.read_text(workspace, broken.path)
    start, end = broken.assignment.start, broken.assignment.end
    line = text[start:end]
    repaired, end = _join_lines(text, start, end)
    if repaired == line:
        body = line.rstrip(" \t\r\n")
        quote = _find_open_quote(body)
        if not quote:
            message = f"{broken.path} line {broken.assignment.line}: {broken.reason}"
            raise RefusedError("assignment-broken", message, "fix the line by hand")
        repaired = body + quote + (find_line_end(line) if line.endswith(("\n", "\r")) else "")
    reason = "the broken assignment is repaired"
    return workspace.write(broken.path, apply_edits(text, [Edit(start=start, end=end, text=repaired)]), reason)


def _join_lines(text: str, start: int, end: int) -> tuple[str, int]:
    """Return the lines without blanks behind backslashes, those included that are joined by it, and their end."""
    parts = [_BLANKS_BEHIND_BACKSLASH.sub(r"\\", text[start:end])]
    joins = parts[0] != text[start:end] and bool(_JOINS.search(parts[0]))
    while joins and end < len(text):
        match = LINE_END.search(text, end)
        start, end = end, match.end() if match else len(text)
        parts.append(_BLANKS_BEHIND_BACKSLASH.sub(r"\\", text[start:end]))
        joins = bool(_JOINS.search(parts[-1])) or parts[-1].lstrip().startswith(("#", ";"))
    return "".join(parts), end


def _find_open_quote(body: str) -> str:
    quote, position = "", 0
    while position < len(body):
        if body[position] == "\\":
            position += 1
        elif body[position] in "'\"" and quote in ("", body[position]):
            quote = "" if quote else body[position]
        position += 1
    return quote


def _expand_own_value(workspace: Workspace, effective: Effective, winner: FileVariable) -> tuple[Workspace, list[str]]:
    """Replace `$NAME` in NAME's own value, which only a shell would expand, by NAME's earlier value."""
    own = (f"${winner.name}", f"${{{winner.name}}}")
    words = [word for word in split_value(winner.line.value) if word.text in own]
    if not words:
        return workspace, []
    document = effective.environment_files[winner.path]
    before = [line for line in document.variables if line.name == winner.name and line.start < winner.line.start]
    text = edits.read_text(workspace, winner.path)
    meant = ""
    changes = []
    if before:
        places = before[-1].value.places
        meant = text[places[0][0] : places[-1][1]] if places else ""
        changes.append(Edit(start=before[-1].start, end=before[-1].end))
    for word in words:
        end = word.end if meant else word.end + len(text[word.end :]) - len(text[word.end :].lstrip(" \t"))
        changes.append(Edit(start=word.start, end=end, text=meant))
    fault = f"{winner.path} line {winner.line.line}: {words[0].text} is not expanded: systemd is not a shell"
    return workspace.write(winner.path, apply_edits(text, changes), "the value is written out"), [fault]
