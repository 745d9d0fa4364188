"""Errors of Ansible's library as one sentence with file and line."""

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
from harbor_agent.inventory.ansible.vault import explain_vault_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

_YAML_NAME = re.compile(r"\.(?:ya?ml|json)\Z")
_YAML_START = re.compile(rb"(?:\s*#[^\n]*\n|\s*\n)*(?:---|[\w.-]+:\s*(?:\n|\Z)|\{)")
_PLUGIN_KEY = re.compile(rb"^plugin:", re.MULTILINE)
_YAML_MARK = re.compile(r',? in "<[^>]*>", line [0-9]+, column ([0-9]+)')
# The INI parser quotes the whole line of a host, with the passwords that may be in it.
_QUOTED_LINE = re.compile(r"(?<=host definition) '.*'(?=:)")
_MARK = "\ufeff"
# The byte order marks of UTF-16, read as UTF-8 with surrogates.
_UTF16_STARTS = ("\udcff\udcfe", "\udcfe\udcff")
_SURROGATE = re.compile("[\ud800-\udfff]")
_INI_COMMENT = re.compile(r"(?:^|\s)[#;].*")
_REMOVE_MARK = "save the file as UTF-8 without BOM: sed -i '1s/^\\xef\\xbb\\xbf//' FILE"
_SAVE_AS_UTF8 = "save the file as UTF-8: iconv -f GB18030 -t UTF-8 FILE > NEW"
_EXPECTED_YAML = "write YAML that maps groups to hosts, vars and children"
_EXPECTED_INI = "write [group] lines, followed by lines of the form 'host key=value …'"
_EXPECTED_PLUGIN = "see the plugin's output: ansible-inventory -vvv --graph -i FILE"
_EXPECTED_SCRIPT = "make the script print JSON for --list; if the file is not a script, clear its executable bit"


def explain_unparsable(path: Path, loader: Any, hosts: Any) -> UsageError:  # noqa: ANN401 - Ansible has no types
    """Parse a file again to find out where and why it fails: Ansible does not keep both for every kind of file.

    `hosts` is the inventory data read before, which plugins may build upon.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        return UsageError.of("inventory-unparsable", f"{path}: cannot be read ({error.strerror})")
    encrypted = is_encrypted(raw)
    try:
        content = loader.get_text_file_contents(str(path)).encode() if encrypted else raw
    except AnsibleError as error:
        return explain_vault_failure(error, str(path)) or _build_error(str(path), find_reason(error))
    if path.stat().st_mode & 0o111 and not encrypted:
        return _build_error(str(path), _explain_script_failure(path, loader), _EXPECTED_SCRIPT)
    if _PLUGIN_KEY.search(content):
        return _build_error(str(path), _explain_failure("auto", path, loader, hosts), _EXPECTED_PLUGIN)
    if _is_yaml(path, content):
        where, reason = _explain_yaml_failure(path, loader)
        return _build_error(where, reason, _EXPECTED_YAML)
    reason = _explain_failure("ini", path, loader)
    lines = content.splitlines(keepends=True)
    number = _find_ini_line(lines, reason, loader)
    if encrypted or b"pass" in lines[number - 1]:
        reason = reason.partition(", got:")[0]
    return _build_error(f"{path}:{number}", reason, _EXPECTED_INI)


def refuse_other_encodings(path: Path, text: str) -> None:
    """Raise UsageError for a file that is not UTF-8, and for a byte order mark in an INI file.

    `text` is the file read as UTF-8, with other bytes as surrogates. In the comments of an INI file, any bytes are
    allowed, as in Ansible. Ansible takes a byte order mark for a part of the first line of an INI file.
    """
    if text.startswith(_UTF16_STARTS) or "\0" in text:
        raise _build_error(str(path), "not UTF-8 (saved as UTF-16, or not a text file)", _SAVE_AS_UTF8)
    yaml = _is_yaml(path, text.removeprefix(_MARK).encode(errors="surrogateescape"))
    if text.startswith(_MARK) and not yaml:
        message = "the file begins with a byte order mark, which is not allowed in an INI inventory"
        raise _build_error(f"{path}:1", message, _REMOVE_MARK)
    for number, line in enumerate(text.split("\n") if _SURROGATE.search(text) else (), start=1):
        if _SURROGATE.search(line if yaml else _INI_COMMENT.sub("", line)):
            raise _build_error(f"{path}:{number}", "not UTF-8", _SAVE_AS_UTF8)


def find_reason(error: BaseException) -> str:
    """Return the innermost reason on one line."""
    *_, innermost = _iterate_causes(error)
    if isinstance(innermost, UnicodeError):
        return f"not UTF-8; {_SAVE_AS_UTF8}"
    text = " ".join(str(getattr(innermost, "message", None) or innermost).split())
    return _QUOTED_LINE.sub("", _YAML_MARK.sub(r" at column \1", text)).rstrip(".")


def find_location(error: BaseException) -> str:
    """Return `file:line` of the innermost location in the chain of errors, "" if none of them has one."""
    where = ""
    for link in _iterate_causes(error):
        origin: Any = getattr(link, "obj", None)
        if getattr(origin, "path", None) and getattr(origin, "line_num", None):
            where = f"{origin.path}:{origin.line_num}"
    return where


def _is_yaml(path: Path, content: bytes) -> bool:
    """Whether a file is meant to be YAML or JSON, not INI, by its name or by its beginning."""
    return bool(_YAML_NAME.search(path.name) or _YAML_START.match(content))


def _build_error(where: str, reason: str, hint: str = "") -> UsageError:
    return UsageError.of("inventory-unparsable", f"{where}: {reason}", hint)


def _explain_yaml_failure(path: Path, loader: Any) -> tuple[str, str]:  # noqa: ANN401 - Ansible has no types
    """Return `file:line`, or the file alone, and the reason."""
    try:
        loader.load_from_file(str(path), cache="none")
    except AnsibleError as error:
        return find_location(error) or str(path), find_reason(error)
    return str(path), _explain_failure("yaml", path, loader)


def _explain_script_failure(path: Path, loader: Any) -> str:  # noqa: ANN401 - Ansible has no types
    """Run the script again and return the reason of its failure with the last line of its output."""
    try:
        inventory_loader.get("script").parse(InventoryData(), loader, str(path))
    except AnsibleError as error:
        output = str(getattr(error, "_help_text", None) or "").strip().splitlines()
        return str(error.message).rstrip(".") + (f": {output[-1]}" if output else "")
    except Exception as error:  # noqa: BLE001 - parsers raise errors of many types
        return find_reason(error)
    return "the script failed, but succeeded when it was run again"


def _explain_failure(plugin: str, path: Path, loader: Any, hosts: Any = None) -> str:  # noqa: ANN401 - Ansible has no types
    """Return the reason why an inventory plugin cannot parse the file, "" if it can."""
    try:
        inventory_loader.get(plugin).parse(hosts or InventoryData(), loader, str(path))
    except Exception as error:  # noqa: BLE001 - parsers raise errors of many types
        return find_reason(error)
    return ""


def _find_ini_line(lines: list[bytes], reason: str, loader: Any) -> int:  # noqa: ANN401 - Ansible has no types
    """Return the number of the line that the INI parser rejects: the last line of the shortest beginning that fails."""
    section = re.search(r"Section (\[[^\]]+\])", reason)
    if section:
        return next((n for n, line in enumerate(lines, start=1) if line.strip() == section[1].encode()), 1)
    good, bad = 0, len(lines)
    with TemporaryDirectory() as folder:
        beginning = Path(folder) / "hosts"
        while bad - good > 1:
            middle = (good + bad) // 2
            beginning.write_bytes(b"".join(lines[:middle]))
            failure = _explain_failure("ini", beginning, loader)
            good, bad = (good, middle) if failure and "undefined group" not in failure else (middle, bad)
    return bad


def _iterate_causes(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link:
        yield link
        link = link.__cause__ or link.__context__
