"""Ansible's own library reads the inventory. Imported by `inventory` only, with Ansible's surroundings prepared."""

from __future__ import annotations

import re
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable, AnsibleValueOmittedError
from ansible.inventory.manager import InventoryManager, split_host_pattern
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.vars import clean, manager
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from harbor_agent.errors import UsageError
from harbor_agent.inventory import kubekey
from harbor_agent.inventory.ansible.errors import location_of, reason_of, unparsable
from harbor_agent.inventory.ansible.vault import open_vault, vault_failure

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from harbor_agent.model.inventory import VaultSources

_SUBSCRIPT = re.compile(r"(.+)\[(?:-?[0-9]+|[0-9]+[:-][0-9]*)\]\Z")
_EXPECTED_VARIABLES = "group_vars and host_vars files are YAML that maps variable names to values"
_SHOWN_EXPRESSION = 120

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


def _clean_facts(facts: Mapping[str, Any]) -> Any:  # noqa: ANN401 - Ansible has no types
    """Clean facts, where there are some: Ansible goes through all its connection plugins for each host without any."""
    return clean.clean_facts(facts) if facts else {}


manager.clean_facts = _clean_facts


class Inventory:
    """The hosts of one or more sources. Raises UsageError, naming file and line, for a source that cannot be read."""

    def __init__(self, sources: Sequence[str], vault: VaultSources) -> None:
        """Read `sources`: absolute paths, or host lists (`a,b,`); what is encrypted, with the passwords of `vault`."""
        self._loader = _Loader()
        open_vault(self._loader, vault)
        try:
            self._manager = _Manager(loader=self._loader, sources=list(sources))
            self._variables = VariableManager(loader=self._loader, inventory=self._manager)
        except AnsibleError as error:
            raise _variables_failure(error, "something among the variables of the inventory") from None
        # It makes `hostvars` known to templates.
        _HostVars(inventory=self._manager, variable_manager=self._variables, loader=self._loader)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all hosts and groups."""
        return (*self._manager.hosts, *self._manager.groups)

    def select(self, patterns: Sequence[str] | None) -> list[Any]:
        """Return Ansible's hosts in the order of the inventory; those that `patterns` select, where given."""
        try:
            return list(self._manager.get_hosts(list(patterns) if patterns is not None else "all"))
        except AnsibleError as error:
            raise UsageError.of("limit-matches-nothing", reason_of(error)) from None

    def variables(self, host: Any) -> HostVariables:  # noqa: ANN401 - Ansible has no types
        """Return the variables of `host`, from wherever Ansible takes them."""
        try:
            raw = self._variables.get_vars(host=host)
        except AnsibleError as error:
            raise _variables_failure(error, f"something among the variables of host {host.name}") from None
        return HostVariables(host.name, raw, Templar(loader=self._loader, variables=raw))


class HostVariables:
    """The variables of one host; templates are filled in and vaults opened for those that are asked for only."""

    def __init__(self, host: str, raw: Mapping[str, Any], templar: Any) -> None:  # noqa: ANN401 - Ansible has no types
        """Hold the variables as they were written."""
        self._host = host
        self._raw = raw
        self._templar = templar

    @property
    def names(self) -> Iterator[str]:
        """The names of all variables."""
        return (str.__str__(name) for name in self._raw)

    def as_written(self, name: str) -> object:
        """Return the value of a variable with nothing filled in."""
        return _plain(self._raw[name])

    def values(self, names: Collection[str], *, secret: Collection[str] = ()) -> dict[str, object]:
        """Return those of `names` that are set, filled in; what a template leaves out (`omit`) is not set.

        Raises UsageError naming host, variable and, unless it is one of `secret`, the expression.
        """
        found: dict[str, object] = {}
        for name in names:
            if name not in self._raw:
                continue
            try:
                found[name] = _plain(self._templar.template(self._raw[name]))
            except AnsibleValueOmittedError:
                continue
            except AnsibleError as error:
                raise self._failure(error, name, show=name not in secret) from None
        return found

    def _failure(self, error: AnsibleError, name: str, *, show: bool) -> UsageError:
        locked = vault_failure(error, f"the variable {name} of host {self._host}")
        if locked:
            return locked
        raw = self._raw[name]
        written = f" ({str.__str__(raw)[:_SHOWN_EXPRESSION]})" if show and isinstance(raw, str) else ""
        # What is not defined is no secret; what else goes wrong may quote one.
        show = show or isinstance(error, AnsibleUndefinedVariable)
        reason = reason_of(error) if show else "its template fails"
        message = f"host {self._host}: the variable {name}{written} cannot be filled in: {reason}"
        return UsageError.of("inventory-variable-invalid", message, "define what is missing, or leave the host out")


class _HostVars(HostVars):  # type: ignore[misc]  # Ansible has no types
    """Ansible's `hostvars`, with the variables of each host collected once: a thousand hosts ask for one bastion's."""

    def __init__(self, **parts: Any) -> None:  # noqa: ANN401 - Ansible has no types
        """Make itself known to the variable manager in `parts`."""
        super().__init__(**parts)
        self._collected: dict[str, Any] = {}

    def raw_get(self, host_name: str) -> Any:  # noqa: ANN401 - Ansible has no types
        """Return the variables of a host as written, or Ansible's mark that there is none."""
        if host_name not in self._collected:
            self._collected[host_name] = super().raw_get(host_name)
        return self._collected[host_name]


class _Loader(DataLoader):  # type: ignore[misc]  # Ansible has no types
    """Ansible's loader, which names the file where a vault does not open."""

    def get_text_file_contents(self, file_name: str, encoding: str | None = None) -> Any:  # noqa: ANN401 - a tagged text
        """Return the text of a file, decrypted where it is encrypted."""
        try:
            return super().get_text_file_contents(file_name, encoding)
        except AnsibleError as error:
            failure = vault_failure(error, file_name)
            if failure:
                raise failure from error
            raise


class _Manager(InventoryManager):  # type: ignore[misc]  # Ansible has no types
    """Ansible's manager, which reads KubeKey's files too, and for which a file that cannot be read is an error."""

    def parse_source(self, source: str, cache: bool = False) -> bool:  # noqa: FBT001, FBT002 - Ansible's signature
        """Parse one source; called by Ansible for each file of a directory too."""
        path = Path(source)
        if self._parse_kubekey(path):
            return True
        parsed: bool = super().parse_source(source, cache=cache)
        if not parsed and not path.is_dir():
            raise unparsable(path, self._loader, self._inventory)
        return parsed

    def _parse_kubekey(self, path: Path) -> bool:
        if not path.is_file():
            return False
        try:
            text: str = self._loader.get_text_file_contents(str(path))
        except AnsibleError:
            return False  # said where Ansible cannot read it either
        if not kubekey.is_kubekey(text):
            return False
        machines = kubekey.read_machines(str.__str__(text), str(path))
        self._inventory.current_source = str(path)
        self._add_all("all", machines.variables)
        for name, variables in machines.hosts.items():
            self._inventory.add_host(name)
            self._add_all(name, variables)
        for name, group in machines.groups.items():
            self._inventory.add_group(name)
            self._add_all(name, group.variables)
            for host in group.hosts:
                self._inventory.add_host(host, name)
        for name, group in machines.groups.items():
            for child in group.children:
                self._inventory.add_group(child)
                self._inventory.add_child(name, child)
        self._inventory.processed_sources.append(str(path))
        self._inventory.current_source = None
        return True

    def _add_all(self, name: str, variables: Mapping[str, object]) -> None:
        for variable, value in variables.items():
            self._inventory.set_variable(name, variable, value)


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


def _variables_failure(error: AnsibleError, what: str) -> UsageError:
    where = location_of(error) or what
    locked = vault_failure(error, where)
    return locked or UsageError.of("inventory-unparsable", f"{where}: {reason_of(error)}", _EXPECTED_VARIABLES)


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
