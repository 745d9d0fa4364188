"""YAML files of installers as plain values, with errors that name the file and the place in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from harbor_agent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARK = "\ufeff"
_MERGE_TAG = "tag:yaml.org,2002:merge"
# Bytes that are not UTF-8 arrive as surrogates. The characters that YAML 1.1 allows (yaml.reader.Reader.NON_PRINTABLE).
_NOT_UTF8 = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SAVE_AS_UTF8 = "save the file as UTF-8: iconv -f GB18030 -t UTF-8 FILE > NEW"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A role: the names of its hosts and subgroups, and its variables (`harbor_…` only)."""

    hosts: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    variables: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """The content of a file: hosts with their variables, groups, and variables of all hosts (`harbor_…` only)."""

    hosts: Mapping[str, Mapping[str, object]]
    groups: Mapping[str, Group]
    variables: Mapping[str, object] = field(default_factory=dict)


class Reader:
    """Reads values of one file, and puts its path into every error."""

    def __init__(self, path: str, hint: str) -> None:
        """Read values of the file `path`; `hint` is the hint of errors that have none of their own."""
        self._path = path
        self._hint = hint

    def build_error(self, message: str, hint: str = "") -> UsageError:
        """Return the error for something that the file lacks or has too much of."""
        return UsageError.of("inventory-unparsable", f"{self._path}: {message}", hint or self._hint)

    def read_mapping(self, value: object, place: str) -> Mapping[str, object]:
        """Return a mapping, empty if the value is missing. Raises UsageError."""
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.build_error(f"{place} must be a mapping")
        return value

    def read_list(self, value: object, place: str) -> list[object]:
        """Return a list, empty if the value is missing. Raises UsageError."""
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.build_error(f"{place} must be a list")
        return value

    def read_names(self, value: object, place: str) -> tuple[str, ...]:
        """Return a list of names. Raises UsageError for a list with anything but words and numbers."""
        items = self.read_list(value, place)
        if any(isinstance(item, (Mapping, list)) or item in (None, "") for item in items):
            raise self.build_error(f"{place} must be a list of names")
        return tuple(str(self.read_text({place: item}, place, "the list")) for item in items)

    def read_text(self, values: Mapping[str, object], key: str, place: str) -> str | None:
        """Return a value as text, as Go does with a password of digits; None if it is missing or empty."""
        value = values.get(key)
        if isinstance(value, (Mapping, list, set)):
            raise self.build_error(f"{key} of {place} must be text")
        try:
            return None if value is None or value == "" else str(value)
        except ValueError:  # a number of thousands of digits
            raise self.build_error(f"{key} of {place} is too long") from None

    def require_unique(self, names: Iterable[tuple[str, str]], place: str) -> None:
        """Raise UsageError if two pairs of a name and an address have the same name."""
        first: dict[str, str] = {}
        for name, address in names:
            if name in first:
                message = f"{place} names {name} twice ({first[name]} and {address})"
                raise self.build_error(message, "give each machine a name of its own, or remove the copy")
            first[name] = address


def load_documents(text: str, path: str) -> list[Mapping[str, object]]:
    """Return the mappings among the YAML documents of a file. Raises UsageError with the path and the line.

    A byte order mark is skipped, as by the YAML readers of Go. A key that is set twice is an error, as it is there.
    """
    text = text.removeprefix(_MARK)
    _require_text(text, path)
    try:
        return [document for document in yaml.load_all(text, Loader=_Loader) if isinstance(document, Mapping)]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        message = f"{path}:{line}: {error.problem or 'invalid YAML'}"
        raise UsageError.of("inventory-unparsable", message, "correct the YAML syntax") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        reason = " ".join(str(error).split()) or "invalid YAML"
        raise UsageError.of("inventory-unparsable", f"{path}: {reason}", "correct the YAML syntax") from None


def _require_text(text: str, path: str) -> None:
    """Raise UsageError for bytes that are not UTF-8 and for control characters."""
    found = _NOT_UTF8.search(text)
    if found:
        message = f"{path}:{_count_lines(text, found.start())}: not UTF-8"
        raise UsageError.of("inventory-unparsable", message, _SAVE_AS_UTF8)
    found = _CONTROL.search(text)
    if found:
        message = f"{path}:{_count_lines(text, found.start())}: control character {found[0]!a}"
        raise UsageError.of("inventory-unparsable", message, "remove the control character")


def _count_lines(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


class _Loader(_BASE):  # type: ignore[misc]  # chosen at run time
    """The safe loader, which also refuses a key that is set twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - its signature
        """Return the mapping of a node. Raises yaml.MarkedYAMLError for a key that is set twice."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE_TAG:
                if (key.tag, key.value) in seen:
                    message = f"the key {key.value} is set twice"
                    raise yaml.constructor.ConstructorError(None, None, message, key.start_mark)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep=deep)
