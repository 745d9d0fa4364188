"""Ansible's loader and inventory manager, which also read installers' files and reject what cannot be parsed."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from harbor_agent.errors import UsageError
from harbor_agent.inventory.ansible.addresses import require_one_address
from harbor_agent.inventory.ansible.errors import explain_unparsable, find_reason, refuse_other_encodings
from harbor_agent.inventory.ansible.ranges import bound_ranges
from harbor_agent.inventory.ansible.vault import explain_vault_failure
from harbor_agent.inventory.installers.kubekey import is_kubekey, parse_machines
from harbor_agent.inventory.installers.others import refuse_other_files
from harbor_agent.inventory.installers.rke import parse_rke_machines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.inventory.installers.reader import Machines

_SCRIPT = "#!"


class FileLoader(DataLoader):  # type: ignore[misc]  # Ansible has no types
    """Ansible's loader, with errors that name the file if a vault cannot be decrypted."""

    def get_text_file_contents(self, file_name: str, encoding: str | None = None) -> Any:  # noqa: ANN401 - a tagged text
        """Return the text of a file, decrypted if it is encrypted. Raises UsageError or AnsibleError."""
        try:
            return super().get_text_file_contents(file_name, encoding)
        except AnsibleError as error:
            failure = explain_vault_failure(error, file_name)
            if failure:
                raise failure from error
            raise


class SourceManager(InventoryManager):  # type: ignore[misc]  # Ansible has no types
    """Ansible's manager, for which a file that cannot be parsed is an error and not a warning."""

    def parse_source(self, source: str, cache: bool = False) -> bool:  # noqa: FBT001, FBT002 - Ansible's signature
        """Parse one source; Ansible calls this for each file of a directory too. Raises UsageError."""
        bound_ranges()
        path = Path(source)
        try:
            if self._parse_installer_file(path):
                return True
            with nullcontext() if path.is_dir() else require_one_address(self._inventory, source):
                parsed: bool = super().parse_source(source, cache=cache)
        except (UsageError, AnsibleError):
            raise
        except Exception as error:
            raise UsageError.of("inventory-unparsable", f"{path}: {find_reason(error)}") from error
        if not parsed and not path.is_dir():
            raise explain_unparsable(path, self._loader, self._inventory)
        return parsed

    def _parse_installer_file(self, path: Path) -> bool:
        """Add the machines of a KubeKey or RKE file; return False for any other file.

        Raises UsageError for a file of another tool, and for an encoding that Ansible misreads.
        """
        if not path.is_file():
            return False
        try:
            text = str.__str__(self._loader.get_text_file_contents(str(path)))
        except AnsibleError:
            return False  # Ansible's own attempt reports this
        if text.startswith(_SCRIPT):
            return False
        machines = parse_machines(text, str(path)) if is_kubekey(text) else parse_rke_machines(text, str(path))
        if machines is None:
            refuse_other_files(text, str(path))
            refuse_other_encodings(path, text)
            return False
        try:
            self._add_machines(path, machines)
        except AnsibleError as error:
            raise UsageError.of("inventory-unparsable", f"{path}: {find_reason(error)}") from error
        return True

    def _add_machines(self, path: Path, machines: Machines) -> None:
        self._inventory.current_source = str(path)
        self._set_variables("all", machines.variables)
        for name, variables in machines.hosts.items():
            self._inventory.add_host(name)
            self._set_variables(name, variables)
        for name, group in machines.groups.items():
            self._inventory.add_group(name)
            self._set_variables(name, group.variables)
            for host in group.hosts:
                self._inventory.add_host(host, name)
        for name, group in machines.groups.items():
            for child in group.children:
                self._inventory.add_group(child)
                self._inventory.add_child(name, child)
        self._inventory.processed_sources.append(str(path))
        self._inventory.current_source = None

    def _set_variables(self, name: str, variables: Mapping[str, object]) -> None:
        for variable, value in variables.items():
            self._inventory.set_variable(name, variable, value)
