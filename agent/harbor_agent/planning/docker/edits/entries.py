"""The edits that add entries in a place: each returns the changed workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.docker.arguments import INSECURE_REGISTRY, find_ranges
from harbor_agent.formats.docker.daemon_json import INSECURE_REGISTRIES, add_strings
from harbor_agent.formats.systemd.arguments import add_arguments, split_value
from harbor_agent.formats.systemd.service import Variable, evaluate_service
from harbor_agent.formats.systemd.unit import append_to_service, parse_unit
from harbor_agent.formats.text import FormatError, apply_edits, decode, encode
from harbor_agent.planning.docker.edits.render import (
    build_flags,
    render_daemon_json,
    render_exec_start,
    render_variable,
)
from harbor_agent.planning.docker.startup import accepts_blank_config
from harbor_agent.planning.files.workspace import require_writable
from harbor_agent.planning.refusal import RefusedError, refuse_file

if TYPE_CHECKING:
    from harbor_agent.formats.systemd.arguments import Value
    from harbor_agent.planning.docker.effective import Effective, FileVariable
    from harbor_agent.planning.files.workspace import Workspace

_ADDED = "the entry is added to"


def read_text(workspace: Workspace, path: str) -> str:
    """Return the file's text, empty if it is absent. Raises RefusedError if it must not be written."""
    file = workspace.file(path)
    require_writable(file)
    return decode(file.content or b"")


def add_to_variable(workspace: Workspace, winner: Variable | FileVariable, entries: list[str]) -> Workspace:
    """Add the flags to the assignment itself."""
    text = read_text(workspace, winner.path)
    value = winner.value if isinstance(winner, Variable) else winner.line.value
    try:
        edits = add_arguments(text, value, build_flags(entries), _find_similar(value))
    except FormatError as error:
        raise refuse_file(winner.path, error) from None
    return workspace.write(winner.path, apply_edits(text, edits), f"{_ADDED} {winner.name}")


def add_variable_line(
    workspace: Workspace, effective: Effective, path: str, name: str, entries: list[str]
) -> Workspace:
    """Assign a new variable at the end of an environment file, quoted as the file's own assignments are."""
    document = effective.environment_files[path]
    quote = next((line.quote for line in document.variables if line.quote), '"')
    require_writable(workspace.file(path))
    line = f"{name}={quote}{' '.join(build_flags(entries))}{quote}"
    return workspace.write(path, document.append(line), f"{name} reaches dockerd and no file sets it yet")


def add_drop_in(
    workspace: Workspace, path: str, name: str, entries: list[str], copied: Variable | None = None
) -> Workspace:
    """Assign the variable in a drop-in; `copied` is the assignment that it repeats word for word."""
    if copied is None:
        rendered = render_variable(name, entries, workspace.templates)
        return _add_section(workspace, path, rendered, f"{name} reaches dockerd and no file sets it yet")
    source = decode(workspace.file(copied.path).content or b"")
    word = source[copied.word[0] : copied.word[1]]
    reason = f"it repeats {name} from {copied.path}, with the entry added"
    workspace = _add_section(workspace, path, f"[Service]\nEnvironment={word}\n", reason)
    unit = parse_unit(workspace.file(path).content or b"")
    return add_to_variable(workspace, evaluate_service([(path, unit)]).environment[name], entries)


def add_exec_start(workspace: Workspace, effective: Effective, path: str, entries: list[str]) -> Workspace:
    """Replace ExecStart= in a drop-in by its own raw text with the flags behind it."""
    command = effective.command
    source = decode(workspace.file(command.path).content or b"")
    raw = source[command.value.places[0][0] : command.value.places[-1][1]]
    extended = " ".join((raw, *build_flags(entries)))
    rendered = render_exec_start(extended, workspace.templates)
    return _add_section(workspace, path, rendered, "ExecStart= is repeated with the flag at its end")


def add_to_command(workspace: Workspace, effective: Effective, entries: list[str]) -> Workspace:
    """Add the flags to ExecStart= itself."""
    command = effective.command
    text = read_text(workspace, command.path)
    edits = add_arguments(text, command.value, build_flags(entries), _find_similar(command.value))
    return workspace.write(command.path, apply_edits(text, edits), f"{_ADDED} ExecStart=")


def add_to_config(workspace: Workspace, effective: Effective, entries: list[str]) -> Workspace:
    """Add the entries to dockerd's configuration file, which is created if it is absent or empty."""
    path, document = effective.config_path, effective.config
    if effective.config_fault:
        raise refuse_file(path, effective.config_fault)
    if document is None or document.root is None:
        require_writable(workspace.file(path))
        text = render_daemon_json(entries, workspace.templates)
        return workspace.write(path, text, f"dockerd reads {INSECURE_REGISTRIES} from it")
    text = add_strings(document, INSECURE_REGISTRIES, entries)
    return write_config(workspace, effective, text, f"{_ADDED} {INSECURE_REGISTRIES}")


def write_config(workspace: Workspace, effective: Effective, text: str, reason: str) -> Workspace:
    """Write the configuration file; a byte order mark stays only if this dockerd accepts it."""
    if effective.config is None:
        raise RefusedError("file-invalid", f"{effective.config_path} cannot be edited", "fix the file by hand")
    content = effective.config.encode(text, keep_mark=accepts_blank_config(workspace.state))
    return workspace.write(effective.config_path, decode(content), reason)


def _add_section(workspace: Workspace, path: str, rendered: str, reason: str) -> Workspace:
    text = read_text(workspace, path)
    if not text:
        return workspace.write(path, rendered, reason)
    try:
        unit = parse_unit(encode(text))
    except FormatError as error:
        raise refuse_file(path, error) from None
    body = rendered.partition("\n")[2]
    return workspace.write(path, append_to_service(unit, body), reason)


def _find_similar(value: Value) -> list[tuple[int, int]]:
    return find_ranges([word.text for word in split_value(value)], INSECURE_REGISTRY)
