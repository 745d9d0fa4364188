"""The variables of hosts, with templates evaluated by Ansible only for the variables that are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable, AnsibleValueOmittedError
from ansible.vars.hostvars import HostVars

from harbor_agent.errors import UsageError
from harbor_agent.inventory.ansible.errors import find_reason
from harbor_agent.inventory.ansible.vault import explain_vault_failure

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_SHOWN_EXPRESSION = 120


class HostVariables:
    """The variables of one host, as `inventory.node` reads them."""

    def __init__(self, host: str, raw: Mapping[str, Any], templar: Any) -> None:  # noqa: ANN401 - Ansible has no types
        """Read from `raw`, the variables as written, with Ansible's `templar` to evaluate them."""
        self._host = host
        self._raw = raw
        self._templar = templar

    @property
    def names(self) -> Iterator[str]:
        """The names of all variables."""
        return (str.__str__(name) for name in self._raw)

    def raw_value(self, name: str) -> object:
        """Return the value of a variable with its templates not evaluated."""
        return _convert_to_plain(self._raw[name])

    def values(self, names: Collection[str], *, secret: Collection[str] = ()) -> dict[str, object]:
        """Return the values of those `names` that are set; one whose template gives `omit` is not set.

        Raises UsageError with the host, the variable and, unless it is one of `secret`, the expression.
        """
        found: dict[str, object] = {}
        for name in names:
            if name not in self._raw:
                continue
            try:
                found[name] = _convert_to_plain(self._templar.template(self._raw[name]))
            except AnsibleValueOmittedError:
                continue
            except AnsibleError as error:
                raise self._explain_failure(error, name, show=name not in secret) from None
        return found

    def _explain_failure(self, error: AnsibleError, name: str, *, show: bool) -> UsageError:
        locked = explain_vault_failure(error, f"the variable {name} of host {self._host}")
        if locked:
            return locked
        raw = self._raw[name]
        expression = f" ({str.__str__(raw)[:_SHOWN_EXPRESSION]})" if show and isinstance(raw, str) else ""
        # The name of an undefined variable is not secret; other errors may quote a value.
        show = show or isinstance(error, AnsibleUndefinedVariable)
        reason = find_reason(error) if show else "its template fails"
        message = f"host {self._host}: cannot evaluate the variable {name}{expression}: {reason}"
        return UsageError.of("inventory-variable-invalid", message, "define what is missing, or exclude the host")


class CachedHostVars(HostVars):  # type: ignore[misc]  # Ansible has no types
    """Ansible's `hostvars`, with the variables of each host collected once: a thousand hosts may read one bastion's."""

    def __init__(self, **parts: Any) -> None:  # noqa: ANN401 - Ansible has no types
        """Register with the variable manager in `parts`, which makes `hostvars` known to templates."""
        super().__init__(**parts)
        self._collected: dict[str, Any] = {}

    def raw_get(self, host_name: str) -> Any:  # noqa: ANN401 - Ansible has no types
        """Return the variables of a host as written, or Ansible's marker for an unknown host."""
        if host_name not in self._collected:
            self._collected[host_name] = super().raw_get(host_name)
        return self._collected[host_name]


def _convert_to_plain(value: object) -> object:
    """Return a value in built-in types: Ansible's own carry tags, and evaluate templates when they are read."""
    match value:
        case dict():
            return {str(_convert_to_plain(key)): _convert_to_plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_convert_to_plain(item) for item in value]
        case str():
            return str.__str__(value)
        case int() | float() if not isinstance(value, bool):
            return value + 0
        case _:
            return value
