"""Ansible's own library reads the inventory. Imported by `inventory` only, with Ansible's surroundings prepared."""

from __future__ import annotations

import re
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.inventory.manager import InventoryManager, split_host_pattern
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, inventory_loader
from ansible.template import Templar
from ansible.vars.manager import VariableManager

from agent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WANTED = re.compile(r"ansible_|harbor_")
_FACTS_OF_ANSIBLE = frozenset({"ansible_facts", "ansible_playbook_python", "ansible_config_file", "ansible_version"})
_SUBSCRIPT = re.compile(r"(.+)\[(?:-?[0-9]+|[0-9]+[:-][0-9]*)\]\Z")
_YAML_NAME = re.compile(r"\.(?:ya?ml|json)\Z")
_YAML_START = re.compile(rb"(?:\s*#[^\n]*\n|\s*\n)*(?:---|[\w.-]+:\s*(?:\n|\Z)|\{)")
_YAML_MARK = re.compile(r',? in "<[^>]*>", line [0-9]+, column ([0-9]+)')
# The parser quotes the whole line of a host, with the passwords that may be in it.
_QUOTED_LINE = re.compile(r"(?<=host definition) '.*'(?=:)")
_EXPECTED_YAML = "expected YAML that maps groups to hosts, vars and children"
_EXPECTED_VARIABLES = "group_vars and host_vars files are YAML that maps variable names to values"
_EXPECTED_INI = "expected [group] lines, and below them 'host key=value …'"

# Behind the plugin loader, the next import of a module of Ansible's reads the long list of renamed ones: 0.07 s. So
# what reading any inventory imports comes before; a module that is missed here costs that time and nothing else.
for _name in (
    "ansible.playbook.play_context",
    "ansible.plugins.cache.memory",
    "ansible.plugins.connection",
    "ansible.plugins.doc_fragments",
    "ansible.plugins.inventory.ini",
    "ansible.plugins.inventory.script",
    "ansible.plugins.shell",
    "ansible.plugins.vars.host_group_vars",
):
    with suppress(ImportError):
        import_module(_name)
# Once a process: Ansible warns when it is told twice.
init_plugin_loader([])


class Inventory:
    """The hosts of one or more sources. Raises UsageError, naming file and line, for a source that cannot be read."""

    def __init__(self, sources: Sequence[str]) -> None:
        """Read `sources`: absolute paths, or host lists (`a,b,`)."""
        self._loader = DataLoader()
        self._manager = _Manager(loader=self._loader, sources=list(sources))
        self._variables = VariableManager(loader=self._loader, inventory=self._manager)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all hosts and groups."""
        return (*self._manager.hosts, *self._manager.groups)

    def select(self, patterns: Sequence[str] | None) -> list[Any]:
        """Return Ansible's hosts in the order of the inventory; those that `patterns` select, where given."""
        try:
            return list(self._manager.get_hosts(list(patterns) if patterns is not None else "all"))
        except AnsibleError as error:
            raise UsageError.of("limit-matches-nothing", _reason(error)) from None

    def variables(self, host: Any) -> Mapping[str, object]:  # noqa: ANN401 - Ansible has no types
        """Return the `ansible_…` and `harbor_…` variables of `host`, with templates filled in."""
        try:
            raw = self._variables.get_vars(host=host, include_hostvars=False)
        except AnsibleError as error:
            where = _location(error) or f"the variables of {host.name}"
            raise UsageError.of("inventory-unparsable", f"{where}: {_reason(error)}", _EXPECTED_VARIABLES) from None
        templar = Templar(loader=self._loader, variables=raw)
        wanted = [name for name in raw if _WANTED.match(name) and name not in _FACTS_OF_ANSIBLE]
        return {str.__str__(name): _fill_in(templar, host.name, name, raw[name]) for name in wanted}


class _Manager(InventoryManager):  # type: ignore[misc]  # Ansible has no types
    """Ansible's manager, for which a file that no parser understands is an error and not a warning."""

    def parse_source(self, source: str, cache: bool = False) -> bool:  # noqa: FBT001, FBT002 - Ansible's signature
        """Parse one source; called by Ansible for each file of a directory too."""
        parsed: bool = super().parse_source(source, cache=cache)
        if not parsed and not Path(source).is_dir():
            raise _unparsable(Path(source))
        return parsed


def split_patterns(limit: str) -> Iterator[str]:
    """Yield the patterns of `limit`, also from the files it names with `@`. Raises UsageError."""
    for pattern in split_host_pattern(limit):
        if not pattern.startswith("@"):
            yield pattern
            continue
        try:
            lines = Path(pattern[1:]).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            message = f"the file that --limit {pattern} names cannot be read ({error})"
            raise UsageError.of("limit-file-unreadable", message) from None
        yield from (line.strip() for line in lines if line.strip())


def plain_name(pattern: str) -> str | None:
    """Return the host or group that `pattern` names, None where it is a glob or an expression."""
    name = pattern.lstrip("!&")
    subscript = _SUBSCRIPT.match(name)
    name = subscript[1] if subscript else name
    return None if name.startswith("~") or re.search(r"[*?\[]", name) else name


def _fill_in(templar: Any, host: str, name: str, value: object) -> object:  # noqa: ANN401 - Ansible has no types
    try:
        return _plain(templar.template(value))
    except AnsibleError as error:
        message = f"host {host}: the variable {name} cannot be filled in: {_reason(error)}"
        raise UsageError.of("inventory-variable-invalid", message) from None


def _plain(value: object) -> object:
    """Return built-in types only: Ansible's values carry tags and fill in templates when they are read."""
    match value:
        case dict():
            return {str(_plain(key)): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case str():
            return str.__str__(value)
        case int() | float() if not isinstance(value, bool):
            return value + 0
        case _:
            return value


def _unparsable(path: Path) -> UsageError:
    """Find out where and why a file cannot be parsed: Ansible itself keeps neither for every kind."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return UsageError.of("inventory-unparsable", f"{path}: cannot be read ({error.strerror})")
    if path.stat().st_mode & 0o111:
        hint = "it is executable, so it is run: it must print JSON for --list; take away the x bit if it is a text"
        return UsageError.of("inventory-unparsable", f"{path}: {_failure('script', path)}", hint)
    if _YAML_NAME.search(path.name) or _YAML_START.match(content):
        where, reason = _yaml_failure(path)
        return UsageError.of("inventory-unparsable", f"{where}: {reason}", _EXPECTED_YAML)
    reason = _failure("ini", path)
    lines = content.splitlines(keepends=True)
    number = _ini_line(lines, reason)
    if b"pass" in lines[number - 1]:
        reason = reason.partition(", got:")[0]
    return UsageError.of("inventory-unparsable", f"{path}:{number}: {reason}", _EXPECTED_INI)


def _yaml_failure(path: Path) -> tuple[str, str]:
    try:
        DataLoader().load_from_file(str(path))
    except AnsibleError as error:
        return _location(error) or str(path), _reason(error)
    return str(path), _failure("yaml", path)


def _failure(plugin: str, path: Path) -> str:
    """Return what `plugin` has against the file, "" for nothing."""
    try:
        inventory_loader.get(plugin).parse(InventoryData(), DataLoader(), str(path))
    except Exception as error:  # noqa: BLE001 - parsers raise whatever they meet
        return _reason(error)
    return ""


def _ini_line(lines: list[bytes], reason: str) -> int:
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
            failure = _failure("ini", beginning)
            good, bad = (good, middle) if failure and "undefined group" not in failure else (middle, bad)
    return bad


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link:
        yield link
        link = link.__cause__ or link.__context__


def _reason(error: BaseException) -> str:
    """Return the innermost reason on one line."""
    *_, innermost = _chain(error)
    text = " ".join(str(getattr(innermost, "message", None) or innermost).split())
    return _QUOTED_LINE.sub("", _YAML_MARK.sub(r" at column \1", text)).rstrip(".")


def _location(error: BaseException) -> str:
    """Return `file:line` of the innermost place that the error knows, "" where it knows none."""
    where = ""
    for link in _chain(error):
        origin: Any = getattr(link, "obj", None)
        if getattr(origin, "path", None) and getattr(origin, "line_num", None):
            where = f"{origin.path}:{origin.line_num}"
    return where
