"""The hosts of inventories and their variables, read by Ansible's own library."""

from __future__ import annotations

import re
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError
from ansible.inventory.manager import split_host_pattern
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.vars import clean, manager
from ansible.vars.manager import VariableManager

from harbor_agent.errors import UsageError
from harbor_agent.inventory.ansible.errors import find_location, find_reason
from harbor_agent.inventory.ansible.sources import FileLoader, SourceManager
from harbor_agent.inventory.ansible.variables import CachedHostVars, HostVariables
from harbor_agent.inventory.ansible.vault import explain_vault_failure, open_vaults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harbor_agent.model.inventory import VaultSources

_SUBSCRIPT = re.compile(r"(.+)\[(?:-?[0-9]+|[0-9]+[:-][0-9]*)\]\Z")
_EXPECTED_VARIABLES = "write group_vars and host_vars files as YAML that maps variable names to values"

# Once the plugin loader is set up, the next import of one of Ansible's modules reads its long list of renamed modules:
# 0.07 s. So the modules that every inventory needs are imported first; one that is missing here costs only that time.
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
# Once per process: Ansible warns about a second call.
init_plugin_loader([])


def _clean_facts(facts: Mapping[str, Any]) -> Any:  # noqa: ANN401 - Ansible has no types
    """Clean facts only if a host has any: Ansible loads all its connection plugins for each host without facts, too."""
    return clean.clean_facts(facts) if facts else {}


manager.clean_facts = _clean_facts


class Inventory:
    """The hosts of one or more sources. Raises UsageError with file and line for a source that cannot be read."""

    def __init__(self, sources: Sequence[str], vault: VaultSources) -> None:
        """Read `sources`: absolute paths, or host lists (`a,b,`); decrypt them with the passwords of `vault`."""
        self._loader = FileLoader()
        open_vaults(self._loader, vault)
        try:
            self._manager = SourceManager(loader=self._loader, sources=list(sources))
            self._variables = VariableManager(loader=self._loader, inventory=self._manager)
        except AnsibleError as error:
            raise _explain_variables_failure(error, "the variables of the inventory") from None
        CachedHostVars(inventory=self._manager, variable_manager=self._variables, loader=self._loader)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all hosts and groups."""
        return (*self._manager.hosts, *self._manager.groups)

    def select(self, patterns: Sequence[str] | None) -> list[Any]:
        """Return Ansible's host objects in the order of the inventory: those that match `patterns`, or all.

        Raises UsageError for a pattern that Ansible rejects.
        """
        try:
            return list(self._manager.get_hosts(list(patterns) if patterns is not None else "all"))
        except AnsibleError as error:
            raise UsageError.of("limit-matches-nothing", find_reason(error)) from None

    def variables(self, host: Any) -> HostVariables:  # noqa: ANN401 - Ansible has no types
        """Return the variables of `host` from all places that Ansible reads. Raises UsageError."""
        try:
            raw = self._variables.get_vars(host=host)
        except AnsibleError as error:
            raise _explain_variables_failure(error, f"the variables of host {host.name}") from None
        return HostVariables(host.name, raw, Templar(loader=self._loader, variables=raw))


def split_patterns(limit: str) -> Iterator[str]:
    """Yield the patterns of `limit`, including those in files given as `@FILE`. Raises UsageError."""
    for pattern in split_host_pattern(limit):
        if not pattern.startswith("@"):
            yield pattern
            continue
        try:
            lines = Path(pattern[1:]).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            message = f"cannot read the file of --limit {pattern}: {error}"
            raise UsageError.of("limit-file-unreadable", message) from None
        yield from (line.strip() for line in lines if line.strip())


def extract_name(pattern: str) -> str | None:
    """Return the host or group that `pattern` names; None if it is a glob or an expression."""
    name = pattern.lstrip("!&")
    subscript = _SUBSCRIPT.match(name)
    name = subscript[1] if subscript else name
    return None if name.startswith("~") or re.search(r"[*?\[]", name) else name


def _explain_variables_failure(error: AnsibleError, what: str) -> UsageError:
    where = find_location(error) or what
    locked = explain_vault_failure(error, where)
    reason = f"{where}: {find_reason(error)}"
    return locked or UsageError.of("inventory-unparsable", reason, _EXPECTED_VARIABLES)
