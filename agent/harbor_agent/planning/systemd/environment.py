"""The environment files of a unit: which there are, in which order, and what they hold."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from harbor_agent.formats.systemd.environment_file import COMMENT_CONTINUES_BEFORE, parse_environment_file
from harbor_agent.formats.text import FormatError, encode
from harbor_agent.model.state import FileKind
from harbor_agent.planning.files.workspace import read_content
from harbor_agent.planning.refusal import RefusedError, refuse_file
from harbor_agent.planning.systemd.unit_files import is_masked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harbor_agent.formats.systemd.environment_file import EnvironmentFile
    from harbor_agent.formats.systemd.service import Service
    from harbor_agent.formats.text import Fault
    from harbor_agent.model.state import NodeState

_GLOB = re.compile(r"[*?\[]")


def read_environment_files(
    state: NodeState, service: Service
) -> tuple[dict[str, EnvironmentFile], list[tuple[str, Fault]]]:
    """Return the environment files that the service names, in the order in which they count, and their faults.

    Raises RefusedError for one that is missing or cannot be read, naming it.
    """
    version = re.match(r"\d+", state.system.systemd_version)
    continues = version is None or int(version.group()) < COMMENT_CONTINUES_BEFORE
    files: dict[str, EnvironmentFile] = {}
    faults: list[tuple[str, Fault]] = []
    for setting in service.environment_files:
        pattern, is_optional = setting.removeprefix("-"), setting.startswith("-")
        contents = {
            path: _read_for_unit(state, path, is_optional=is_optional) for path in _find_matches(state, pattern)
        }
        # rule SD-11, SD-12
        if not is_optional and (not contents or None in contents.values()):
            message = f"the unit needs {pattern}, which does not exist: the service would not start again"
            raise RefusedError("environment-file-missing", message, f"create it, or write EnvironmentFile=-{pattern}")
        for path, content in contents.items():
            if content is None:
                continue
            # rule SD-10: a file that is named twice counts at its last place
            files.pop(path, None)
            try:
                files[path] = parse_environment_file(content, comment_continues=continues)
            except FormatError as error:
                raise refuse_file(path, error) from None
            faults.extend((path, fault) for fault in files[path].faults)
    return files, faults


def find_version_dependent_lines(files: Mapping[str, EnvironmentFile]) -> Iterator[tuple[str, int, str]]:
    """Yield path, line and variable of each assignment that counts only since systemd 254 (systemd#27975)."""
    for path, document in files.items():
        content = encode(document.text)
        old, new = (parse_environment_file(content, comment_continues=one).variables for one in (True, False))
        known = {line.start for line in old}
        yield from ((path, line.line, line.name) for line in new if line.start not in known)


def _find_matches(state: NodeState, pattern: str) -> list[str]:
    """Return the path itself, or the files that it matches as glob(7) does: name by name, no hidden ones."""
    if not _GLOB.search(pattern):
        return [pattern]
    names = pattern.split("/")
    return sorted(
        path
        for path, file in state.files.items()
        if file.exists and path.count("/") == pattern.count("/") and all(map(_is_match, path.split("/"), names))
    )


def _is_match(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) and (name.startswith(".") <= pattern.startswith("."))


def _read_for_unit(state: NodeState, path: str, *, is_optional: bool) -> bytes | None:
    """Return what systemd reads; a directory is no file to it, and `-` forgives that too."""
    file = state.files.get(path)
    if file is None or (is_optional and file.kind is FileKind.DIRECTORY):
        return None
    return b"" if is_masked(file) else read_content(file)
