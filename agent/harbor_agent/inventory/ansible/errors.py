"""What Ansible's library has against an inventory, in one sentence with file and line. Imported with it only."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.parsing.vault import is_encrypted
from ansible.plugins.loader import inventory_loader

from harbor_agent.errors import UsageError
from harbor_agent.inventory.ansible.vault import vault_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

_YAML_NAME = re.compile(r"\.(?:ya?ml|json)\Z")
_YAML_START = re.compile(rb"(?:\s*#[^\n]*\n|\s*\n)*(?:---|[\w.-]+:\s*(?:\n|\Z)|\{)")
_PLUGIN_KEY = re.compile(rb"^plugin:", re.MULTILINE)
_YAML_MARK = re.compile(r',? in "<[^>]*>", line [0-9]+, column ([0-9]+)')
# The parser quotes the whole line of a host, with the passwords that may be in it.
_QUOTED_LINE = re.compile(r"(?<=host definition) '.*'(?=:)")
_EXPECTED_YAML = "expected YAML that maps groups to hosts, vars and children"
_EXPECTED_INI = "expected [group] lines, and below them 'host key=value …'"
_EXPECTED_PLUGIN = "see what the plugin says: ansible-inventory -vvv --graph -i FILE"
_RUN = "it is executable, so it is run: it must print JSON for --list; take away the x bit if it is a text"


def unparsable(path: Path, loader: Any, hosts: Any) -> UsageError:  # noqa: ANN401 - Ansible has no types
    """Find out where and why a file cannot be parsed: Ansible itself keeps neither for every kind.

    `hosts` is what was read before, which plugins may build upon.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        return UsageError.of("inventory-unparsable", f"{path}: cannot be read ({error.strerror})")
    encrypted = is_encrypted(raw)
    try:
        content = loader.get_text_file_contents(str(path)).encode() if encrypted else raw
    except AnsibleError as error:
        return vault_failure(error, str(path)) or _unparsable(str(path), reason_of(error))
    if path.stat().st_mode & 0o111 and not encrypted:
        return _unparsable(str(path), _script_failure(path, loader), _RUN)
    if _PLUGIN_KEY.search(content):
        return _unparsable(str(path), _failure("auto", path, loader, hosts), _EXPECTED_PLUGIN)
    if _YAML_NAME.search(path.name) or _YAML_START.match(content):
        where, reason = _yaml_failure(path, loader)
        return _unparsable(where, reason, _EXPECTED_YAML)
    reason = _failure("ini", path, loader)
    lines = content.splitlines(keepends=True)
    number = _ini_line(lines, reason, loader)
    if encrypted or b"pass" in lines[number - 1]:
        reason = reason.partition(", got:")[0]
    return _unparsable(f"{path}:{number}", reason, _EXPECTED_INI)


def reason_of(error: BaseException) -> str:
    """Return the innermost reason on one line."""
    *_, innermost = _chain(error)
    text = " ".join(str(getattr(innermost, "message", None) or innermost).split())
    return _QUOTED_LINE.sub("", _YAML_MARK.sub(r" at column \1", text)).rstrip(".")


def location_of(error: BaseException) -> str:
    """Return `file:line` of the innermost place that the error knows, "" where it knows none."""
    where = ""
    for link in _chain(error):
        origin: Any = getattr(link, "obj", None)
        if getattr(origin, "path", None) and getattr(origin, "line_num", None):
            where = f"{origin.path}:{origin.line_num}"
    return where


def _unparsable(where: str, reason: str, hint: str = "") -> UsageError:
    return UsageError.of("inventory-unparsable", f"{where}: {reason}", hint)


def _yaml_failure(path: Path, loader: Any) -> tuple[str, str]:  # noqa: ANN401 - Ansible has no types
    try:
        loader.load_from_file(str(path), cache="none")
    except AnsibleError as error:
        return location_of(error) or str(path), reason_of(error)
    return str(path), _failure("yaml", path, loader)


def _script_failure(path: Path, loader: Any) -> str:  # noqa: ANN401 - Ansible has no types
    """Run the script once more, and return what is wrong with it and the last thing that it said."""
    try:
        inventory_loader.get("script").parse(InventoryData(), loader, str(path))
    except AnsibleError as error:
        said = str(getattr(error, "_help_text", None) or "").strip().splitlines()
        return str(error.message).rstrip(".") + (f": {said[-1]}" if said else "")
    except Exception as error:  # noqa: BLE001 - parsers raise whatever they meet
        return reason_of(error)
    return "it failed, and ran when it was asked again"


def _failure(plugin: str, path: Path, loader: Any, hosts: Any = None) -> str:  # noqa: ANN401 - Ansible has no types
    """Return what `plugin` has against the file, "" for nothing."""
    try:
        inventory_loader.get(plugin).parse(hosts or InventoryData(), loader, str(path))
    except Exception as error:  # noqa: BLE001 - parsers raise whatever they meet
        return reason_of(error)
    return ""


def _ini_line(lines: list[bytes], reason: str, loader: Any) -> int:  # noqa: ANN401 - Ansible has no types
    """Return the number of the line that the INI parser stumbles over: the last one of the shortest bad beginning."""
    section = re.search(r"Section (\[[^\]]+\])", reason)
    if section:
        return next((n for n, line in enumerate(lines, start=1) if line.strip() == section[1].encode()), 1)
    good, bad = 0, len(lines)
    with TemporaryDirectory() as folder:
        beginning = Path(folder) / "hosts"
        while bad - good > 1:
            middle = (good + bad) // 2
            beginning.write_bytes(b"".join(lines[:middle]))
            failure = _failure("ini", beginning, loader)
            good, bad = (good, middle) if failure and "undefined group" not in failure else (middle, bad)
    return bad


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link:
        yield link
        link = link.__cause__ or link.__context__
