"""One registries.conf or drop-in, of version 1 or 2 (containers-registries.conf(5))."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harbor_agent.formats.text import FormatError, find_line_number
from harbor_agent.formats.toml.document import parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harbor_agent.formats.toml.document import Statement, TomlFile

V1_LISTS = ("search", "insecure", "block")
_SHORT_NAME_MODES = ("", "disabled", "enforcing", "permissive")
_PULL_MODES = ("", "all", "digest-only", "tag-only")
# Go decodes a value only into its own type, and any of these of another type is fatal.
_TABLE_TYPES = {
    "prefix": str,
    "location": str,
    "insecure": bool,
    "blocked": bool,
    "mirror": list,
    "mirror-by-digest-only": bool,
    "pull-from-mirror": str,
}
_MIRROR_TYPES = {"location": str, "insecure": bool, "pull-from-mirror": str}
_FILE_TYPES = {
    "unqualified-search-registries": list,
    "credential-helpers": list,
    "short-name-mode": str,
    "aliases": dict,
    "registry": list,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryTable:
    """One `[[registry]]`, or one registry of the lists of version 1.

    `index` counts the tables of the file from 0; it is None for version 1. `others` are all other settings of it.
    """

    prefix: str
    location: str
    insecure: bool = False
    blocked: bool = False
    index: int | None = None
    others: tuple[Any, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it says nothing of a registry but whether it is insecure or blocked."""
        return not self.redirects and not self.others

    @property
    def redirects(self) -> bool:
        """Whether images are pulled from another place than their name says, or from none, as with a wildcard."""
        # rule RC-10
        return self.location not in ("", self.prefix) or self.location.startswith("*.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistriesFile:
    """A file with the tables that count: of two with one prefix, the first. `is_v1` if it is of version 1."""

    toml: TomlFile
    is_v1: bool = False
    tables: tuple[RegistryTable, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def parse_registries(content: bytes, *, is_main: bool, is_recent: bool) -> RegistriesFile:
    """Parse a main file or a drop-in. Raises FormatError for a file with which no image is pulled from anywhere.

    `is_recent` is true for podman 5 and CRI-O of its time: they accept a byte order mark, and reject tables of version
    1 that list no registry beside those of version 2.
    """
    toml = parse_toml(content)
    # rule RC-27
    if toml.has_mark and not is_recent:
        raise FormatError(1, "it starts with a byte order mark")
    values = {key.lower(): value for key, value in toml.values.items()}
    lists = _read_lists(toml, values.get("registries", {}))
    settings = {key: values[key] for key in _FILE_TYPES if values.get(key)}
    # rule RC-26
    has_v1 = bool(lists) if is_recent else any(lists.values())
    if not has_v1:
        return _parse_v2(toml, settings)
    # rule RC-24, RC-25
    if not is_main:
        raise FormatError(toml.line(("registries",)), "a drop-in must be of version 2, and it is of version 1")
    if settings:
        raise FormatError(toml.line(("registries",)), "it mixes tables of version 1 and version 2")
    return _parse_v1(toml, lists)


def find_headers(toml: TomlFile) -> list[Statement]:
    """Return the headers of the `[[registry]]` tables."""
    return [one for one in toml.statements if one.is_array and tuple(map(str.lower, one.path)) == ("registry",)]


def _read_lists(toml: TomlFile, registries: object) -> dict[str, list[str]]:
    """Return the lists of version 1 that are written, by their names."""
    if not isinstance(registries, dict):
        raise FormatError(toml.line(("registries",)), "'registries' is not a table")
    found = {}
    for name, table in registries.items():
        if name.lower() not in V1_LISTS:
            continue
        path = ("registries", name)
        if not isinstance(table, dict):
            raise FormatError(toml.line(path), f"'{name}' is not a table")
        if "registries" in table:
            found[name.lower()] = _require_texts(table["registries"], toml.line((*path, "registries")))
    return found


def _parse_v1(toml: TomlFile, lists: Mapping[str, Sequence[str]]) -> RegistriesFile:
    line = toml.line(("registries",))
    insecure, blocked = ([_clean(entry, line) for entry in lists.get(name, ())] for name in ("insecure", "block"))
    tables = [
        RegistryTable(prefix=entry, location=entry, insecure=entry in insecure, blocked=entry in blocked)
        for entry in dict.fromkeys([*blocked, *insecure])
    ]
    for table in tables:
        # rule RC-28
        if not table.prefix:
            raise FormatError(line, "a list of registries has an empty entry")
        _require_plain_wildcard(table.prefix, line)
    search = [_clean_search(entry, line) for entry in lists.get("search", ())]
    settings = {"unqualified-search-registries": search} if search else {}
    return RegistriesFile(toml=toml, is_v1=True, tables=tuple(tables), settings=settings)


def _parse_v2(toml: TomlFile, settings: dict[str, Any]) -> RegistriesFile:
    for key, kind in _FILE_TYPES.items():
        if key in settings and not isinstance(settings[key], kind):
            raise FormatError(toml.line((key,)), f"'{key}' has a value of the wrong type")
    _check_settings(toml, settings)
    headers = find_headers(toml)
    lines = [find_line_number(toml.text, one.start) for one in headers]
    tables = []
    for index, table in enumerate(settings.get("registry", ())):
        line = lines[index] if index < len(lines) else toml.line(("registry",))
        tables.append(_parse_table(table, index, line))
    for index, table in enumerate(tables):
        line = lines[index] if index < len(lines) else 1
        _check_conflict(table, tables[:index], line)
    unique: dict[str, RegistryTable] = {}
    for table in tables:
        # rule RC-19
        unique.setdefault(table.prefix, table)
    others = {key: value for key, value in settings.items() if key != "registry"}
    return RegistriesFile(toml=toml, tables=tuple(unique.values()), settings=others)


def _check_settings(toml: TomlFile, settings: Mapping[str, Any]) -> None:
    _require_texts(settings.get("credential-helpers", []), toml.line(("credential-helpers",)))
    line = toml.line(("unqualified-search-registries",))
    for entry in _require_texts(settings.get("unqualified-search-registries", []), line):
        _clean_search(entry, line)
    if settings.get("short-name-mode", "") not in _SHORT_NAME_MODES:
        raise FormatError(toml.line(("short-name-mode",)), "'short-name-mode' has an unknown value")
    _require_texts(list(settings.get("aliases", {}).values()), toml.line(("aliases",)))


def _parse_table(table: object, index: int, line: int) -> RegistryTable:
    values = _read_typed(table, _TABLE_TYPES, line)
    prefix, location = (_clean(values.get(key, ""), line) for key in ("prefix", "location"))
    # rule RC-16, RC-17
    if not prefix and not location:
        raise FormatError(line, "the table has neither a prefix nor a location")
    if prefix and not location and not prefix.startswith("*."):
        raise FormatError(line, "the table has a prefix but no location")
    _require_plain_wildcard(prefix or location, line)
    # rule RC-22
    if values.get("pull-from-mirror"):
        raise FormatError(line, "'pull-from-mirror' belongs in a mirror")
    mirrors = tuple(_read_mirrors(values.get("mirror", []), line, by_digest=values.get("mirror-by-digest-only", False)))
    others = (mirrors, values.get("mirror-by-digest-only", False)) if mirrors else ()
    return RegistryTable(
        prefix=prefix or location,
        location=location,
        insecure=values.get("insecure", False),
        blocked=values.get("blocked", False),
        index=index,
        others=others,
    )


def _read_mirrors(mirrors: Sequence[object], line: int, *, by_digest: bool) -> Iterator[tuple[tuple[str, Any], ...]]:
    for mirror in mirrors:
        values = _read_typed(mirror, _MIRROR_TYPES, line)
        mode = values.get("pull-from-mirror", "")
        values["location"] = _clean(values.get("location", ""), line)
        # rule RC-21
        if not values["location"]:
            raise FormatError(line, "a mirror of the table has no location")
        if mode not in _PULL_MODES or (mode and by_digest):
            raise FormatError(line, "'pull-from-mirror' of a mirror has a value that cannot be used")
        yield tuple(sorted(values.items()))


def _read_typed(table: object, types: Mapping[str, type], line: int) -> dict[str, Any]:
    """Return the known values of a table; names count in any case, as in Go."""
    if not isinstance(table, dict):
        raise FormatError(line, "an entry of the list is not a table")
    # rule RC-12
    values = {key.lower(): value for key, value in table.items()}
    for key, kind in types.items():
        # rule RC-13
        if key in values and type(values[key]) is not kind:
            raise FormatError(line, f"'{key}' has a value of the wrong type")
    return {key: values[key] for key in types if key in values}


def _check_conflict(table: RegistryTable, earlier: Sequence[RegistryTable], line: int) -> None:
    """Raise FormatError for two tables with one location, or one prefix without, that contradict each other."""
    key = table.location or table.prefix
    for other in earlier:
        if (other.location or other.prefix) != key:
            continue
        # rule RC-20
        for name in ("insecure", "blocked"):
            if getattr(other, name) != getattr(table, name):
                raise FormatError(line, f"'{key}' is in several tables with conflicting '{name}'")


def _require_plain_wildcard(prefix: str, line: int) -> None:
    # rule RC-18
    if prefix.startswith("*.") and any(sign in prefix for sign in ":/@"):
        raise FormatError(line, "a prefix with '*.' must have the form *.example.com")


def _clean(text: str, line: int) -> str:
    """Return a prefix or location as it counts. Raises FormatError for one with a scheme."""
    # rule RC-15
    text = text.rstrip("/")
    # rule RC-14
    if text.startswith(("http://", "https://")):
        raise FormatError(line, "a registry must be written without http:// or https://")
    return text


def _clean_search(text: str, line: int) -> str:
    """Return a registry of the search list as it counts. Raises FormatError for one with a path."""
    text = _clean(text, line)
    # rule RC-23
    if "/" in text or "@" in text:
        raise FormatError(line, "a registry to search must be written without a path")
    return text


def _require_texts(values: object, line: int) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise FormatError(line, "a list of registries has a value that is not text")
    return values
