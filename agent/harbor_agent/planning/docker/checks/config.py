"""Which keys and values of daemon.json keep dockerd from starting, judged without a dockerd that could be asked."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from harbor_agent.formats.docker.daemon_json import INSECURE_REGISTRIES
from harbor_agent.formats.docker.options import FLAT_OPTIONS, NEWEST_KNOWN, OPTIONS, OptionType
from harbor_agent.formats.json_text import JsonKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.formats.docker.daemon_json import DaemonJson
    from harbor_agent.formats.json_text import JsonMember, JsonValue
    from harbor_agent.planning.docker.matching import Version

_SUGGESTED = [name for name, option in OPTIONS.items() if option.type is not OptionType.ANY]
_SCALARS = {OptionType.BOOLEAN: re.compile("true|false"), OptionType.INTEGER: re.compile("-?[0-9]+")}
# The kind of the value, and of what it contains.
_KINDS: dict[OptionType, tuple[JsonKind, JsonKind | None]] = {
    OptionType.STRING: (JsonKind.STRING, None),
    OptionType.OBJECT: (JsonKind.OBJECT, None),
    OptionType.STRINGS: (JsonKind.ARRAY, JsonKind.STRING),
    OptionType.OBJECTS: (JsonKind.ARRAY, JsonKind.OBJECT),
    OptionType.STRING_OBJECT: (JsonKind.OBJECT, JsonKind.STRING),
}


def find_unknown_keys(config: DaemonJson, version: Version | None) -> Iterator[tuple[JsonMember, str]]:
    """Yield each key that dockerd of this version does not know, and the reason.

    The members of an object that is not a flat option are judged instead of its own key, as dockerd does
    (configValuesSet). Of an unknown version, only keys that no version knows are reported; of a version newer than the
    table, none.
    """
    for member in config.members:
        is_group = member.value.kind is JsonKind.OBJECT and member.key not in FLAT_OPTIONS
        for one in member.value.members if is_group else (member,):
            # rule DD-28
            if reason := _describe_unknown(one.key, version):
                yield one, reason


def find_wrong_types(config: DaemonJson) -> Iterator[tuple[JsonMember, str]]:
    """Yield each option whose value is of the wrong type, and the type that it must have.

    null counts as not set. The entries of insecure-registries are judged elsewhere.
    """
    for member in config.members:
        option = OPTIONS.get(member.key)
        if option is None or member.key == INSECURE_REGISTRIES or member.value.kind is JsonKind.NULL:
            continue
        # rule DD-29
        if not _has_type(config, member.value, option.type):
            yield member, option.type.value


def _describe_unknown(key: str, version: Version | None) -> str:
    option = OPTIONS.get(key)
    if option is None:
        if version is not None and version > NEWEST_KNOWN:
            return ""
        close = difflib.get_close_matches(key, _SUGGESTED, n=1)
        return "is not an option of dockerd" + (f"; did you mean '{close[0]}'?" if close else "")
    if version is not None and version < option.since:
        return f"is not an option of dockerd before {_format(option.since)}"
    if version is not None and option.until is not None and version >= option.until:
        return f"is no longer an option of dockerd since {_format(option.until)}"
    return ""


def _format(version: Version) -> str:
    return f"{version[0]}.{version[1]:02}" if version[0] in (17, 18, 19) else f"{version[0]}.{version[1]}"


def _has_type(config: DaemonJson, value: JsonValue, type_: OptionType) -> bool:
    if type_ is OptionType.ANY:
        return True
    if pattern := _SCALARS.get(type_):
        return bool(pattern.fullmatch(config.text, value.start, value.end))
    outer, inner = _KINDS[type_]
    parts = (*value.elements, *(member.value for member in value.members))
    # Go decodes null into anything
    return value.kind is outer and (inner is None or all(one.kind in (inner, JsonKind.NULL) for one in parts))
