"""One address for each host of a source: of two, Ansible silently uses the last one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harbor_agent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ADDRESSES = frozenset({"ansible_host", "ansible_ssh_host"})


@contextmanager
def require_one_address(inventory: Any, source: str) -> Iterator[None]:  # noqa: ANN401 - Ansible has no types
    """Watch what the block reads from `source` into Ansible's `inventory`.

    Raises UsageError at its end for a host that got two addresses: a line that was copied, and whose name was not
    changed, would leave out a host.
    """
    found: dict[tuple[str, str], list[str]] = {}
    set_variable = inventory.set_variable

    def note(entity: str, variable: str, value: Any) -> None:  # noqa: ANN401 - Ansible has no types
        if variable in _ADDRESSES and entity in inventory.hosts:
            found.setdefault((str(entity), variable), []).append(str(value))
        set_variable(entity, variable, value)

    inventory.set_variable = note
    try:
        yield
    finally:
        del inventory.set_variable
    for (host, variable), values in found.items():
        if len(different := list(dict.fromkeys(values))) > 1:
            message = f"{source}: host {host} has more than one {variable}: {', '.join(different)}"
            raise UsageError.of("inventory-variable-invalid", message, "give each machine a name of its own")
