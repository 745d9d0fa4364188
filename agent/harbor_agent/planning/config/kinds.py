"""What the value of a setting may be: one definition reads it, and describes it as JSON Schema."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import AgentError
from harbor_agent.model.address import Address
from harbor_agent.model.policy import ClusterDns, RuntimeChoice
from harbor_agent.planning.config.images import IMAGE_PATTERN, find_image_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harbor_agent.planning.config.reader import Reader

    Schema = Mapping[str, object]

_OTHER_RUNTIMES = ("k3s", "rke2")
_MAX_PERCENT = 100
_FINGERPRINT = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a value may be. `read` returns it checked and normalised, None if it was not written.

    `read` raises SettingError. `schema` is the same as JSON Schema, as far as that can say it; both take null as "not
    written". `settings` are those of a mapping, or of the mappings in a list.
    """

    read: Callable[[Reader], object | None]
    schema: Schema
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """One key. `meaning` is what its row in docs/reference/configuration.md says, `default` its value otherwise."""

    key: str
    kind: Kind
    meaning: str
    default: object | None = None


def build_choice(*allowed: str) -> Kind:
    """Return the kind of a text that is one of `allowed`."""
    return Kind(
        read=lambda reader: reader.read_choice(*allowed),
        schema={"type": ["string", "null"], "enum": [*map(str, allowed), None]},
    )


def build_count(minimum: int, *, percent: bool = False) -> Kind:
    """Return the kind of a whole number of at least `minimum`; with `percent` also of a text such as "10%"."""
    number = {"type": "integer", "minimum": minimum}
    # "1%" to "100%", and "0%" if no node at all is allowed too
    share = {"type": "string", "pattern": f"^(0*([1-9][0-9]?|100)|{'0+' if minimum == 0 else '(?!)'})%$"}
    return Kind(
        read=lambda reader: _read_count(reader, percent=percent, minimum=minimum),
        schema={"anyOf": [number, *([share] if percent else []), {"type": "null"}]},
    )


def _read_count(reader: Reader, *, percent: bool, minimum: int) -> int | str | None:
    value = reader.value
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= minimum):
        return value
    if percent and isinstance(value, str) and re.fullmatch("[0-9]+%", value):
        if min(minimum, 1) <= int(value[:-1]) <= _MAX_PERCENT:
            return value
        raise reader.build_error(f"invalid {reader.name}: '{value}'", f"use {min(minimum, 1)}% to {_MAX_PERCENT}%")
    expected = "a whole number" + (' or a percentage such as "10%"' if percent else "")
    raise reader.build_error(f"'{reader.name}' must be {expected}, at least {minimum}")


def _read_switch(reader: Reader) -> bool | None:
    if reader.value is not None and not isinstance(reader.value, bool):
        raise reader.build_error(f"'{reader.name}' must be true or false")
    return reader.value


def _read_texts(reader: Reader) -> tuple[str, ...] | None:
    return None if reader.value is None else reader.read_texts()


def _read_address(reader: Reader, parse: Callable[[str], Address]) -> Address | None:
    if (text := reader.read_text()) is None:
        return None
    try:
        return parse(text)
    except AgentError as error:
        raise reader.build_error(error.problem.message, error.problem.hint) from None


def _read_image(reader: Reader) -> str | None:
    text = reader.read_text()
    if text is not None and (fault := find_image_fault(text)):
        raise reader.build_error(fault.message, fault.hint)
    return text


def _read_fingerprint(reader: Reader) -> str | None:
    """Return the fingerprint in `{sha256: …}`, "" for an empty mapping, as hexadecimal digits without separators."""
    if reader.value is None:
        return None
    text = reader.require_mapping("sha256").child("sha256").read_text() or ""
    digits = text.replace(":", "").replace(" ", "").lower()
    if digits and not _FINGERPRINT.fullmatch(digits):
        raise reader.build_error(f"'{text}' is not a SHA-256 fingerprint", "write its 64 hexadecimal digits")
    return digits


def _read_ip_address(reader: Reader) -> str | None:
    if (text := reader.read_text()) is None:
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise reader.build_error(f"'{text}' is not an IP address") from None


def _read_cluster_dns(reader: Reader) -> ClusterDns | None:
    if reader.value is None:
        return None
    if reader.value != ClusterDns.AUTO.value and reader.value is not False:
        raise reader.build_error(f"'{reader.name}' must be auto or false")
    return ClusterDns.AUTO if reader.value else ClusterDns.FALSE


def _read_runtime(reader: Reader) -> str | None:
    if reader.value in _OTHER_RUNTIMES:
        message = f"{reader.name}: '{reader.value}' cannot be chosen; kubelet on a node with it names it"
        raise reader.build_error(message, f"use one of: {', '.join(RuntimeChoice)}")
    return reader.read_choice(*RuntimeChoice)


def _refuse_password(reader: Reader) -> None:
    if reader.value is not None:
        raise reader.build_error(
            "passwords are not allowed in this file", "use password_env, password_file or docker_config"
        )


TEXT = Kind(read=lambda reader: reader.read_text(), schema={"type": ["string", "null"], "minLength": 1})
TEXTS = Kind(
    read=_read_texts,
    schema={
        "anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "items": {"type": ["string", "null"], "minLength": 1}},
            {"type": "null"},
        ]
    },
)
SWITCH = Kind(read=_read_switch, schema={"type": ["boolean", "null"]})
# The pattern is a sketch: Address.parse also refuses what is not a host name, a port or an IP address.
ADDRESS = Kind(
    read=lambda reader: _read_address(reader, Address.parse),
    schema={"type": "string", "pattern": r"^\s*([Hh][Tt][Tt][Pp][Ss]?://)?[^\s/@_]+/?\s*$"},
)
REMOVED_ADDRESS = Kind(
    read=lambda reader: _read_address(reader, Address.parse_removal), schema={"type": "string", "pattern": "^[^@]+$"}
)
IMAGE = Kind(read=_read_image, schema={"type": ["string", "null"], "pattern": IMAGE_PATTERN})
FINGERPRINT = Kind(
    read=_read_fingerprint,
    schema={
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {"sha256": {"type": ["string", "null"], "pattern": "^([: ]*[0-9A-Fa-f]){64}[: ]*$"}},
    },
)
IP_ADDRESS = Kind(read=_read_ip_address, schema={"type": ["string", "null"], "pattern": r"^[0-9A-Fa-f:.]+(%\S+)?$"})
CLUSTER_DNS = Kind(read=_read_cluster_dns, schema={"enum": ["auto", False, None]})
RUNTIME = Kind(read=_read_runtime, schema=build_choice(*RuntimeChoice).schema)
NO_PASSWORD = Kind(read=_refuse_password, schema={"type": "null"})
