"""registries.yaml as k3s and RKE2 read it (pkg/registries of rancher/wharfie, pkg/agent/containerd of k3s)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from yaml.nodes import MappingNode, ScalarNode

from harbor_agent.formats.text import FormatError
from harbor_agent.formats.yaml.nodes import Manifests, NotEditableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from yaml.nodes import Node

    from harbor_agent.formats.yaml.nodes import Spot

MIRRORS = "mirrors"
ENDPOINT = "endpoint"
REWRITE = "rewrite"
CONFIGS = "configs"
TLS = "tls"
_KNOWN = frozenset({MIRRORS, CONFIGS, "auths"})
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Mirror:
    """The mirrors of one registry; `key` is its key in the file, `endpoints` the list (None: it has none)."""

    spot: Spot
    endpoints: Spot | None
    urls: tuple[str, ...]
    has_rewrites: bool


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one registry: the line of its value, and the texts in its TLS settings."""

    line: int
    tls: Mapping[str, str]


class RegistriesFile:
    """A registries.yaml: its text with the places of the mirrors.

    `unknown` are the keys that are ignored, each with its line; `configs` are the settings of registries by their keys.
    """

    def __init__(self, content: bytes) -> None:
        """Parse the file. Raises FormatError for a file with which the daemon does not start, or an unclear one."""
        self.mark = _MARK if content.startswith(_MARK) else b""
        try:
            self.text = content.removeprefix(_MARK).decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise FormatError(line, "not UTF-8") from None
        self.manifests = Manifests(self.text)
        if len(self.manifests.roots) > 1:
            raise FormatError(self.manifests.roots[1].line, "a second document, which is not read")
        self.root = self.manifests.roots[0] if self.manifests.roots else None
        self.unknown = tuple(self._find_unknown())
        self.mirrors_spot = self.manifests.member(self.root, MIRRORS) if self.root else None
        self.mirrors = dict(self._read_mirrors())
        self.configs = dict(self._read_configs())

    def encode(self, text: str) -> bytes:
        """Return the bytes of a text that replaces this one, with the byte order mark of the file."""
        return self.mark + text.encode()

    def _find_unknown(self) -> Iterator[tuple[str, int]]:
        if self.root is None or self.root.is_null:
            return
        if not isinstance(self.root.node, MappingNode):
            raise FormatError(self.root.line, "expected a mapping")
        for key, _ in self.root.node.value:
            if key.value not in _KNOWN and key.value != "<<":
                yield str(key.value), int(key.start_mark.line) + 1

    def _read_configs(self) -> Iterator[tuple[str, Config]]:
        spot = self.manifests.member(self.root, CONFIGS) if self.root and not self.root.is_null else None
        if spot is None or spot.is_null:
            return
        if not isinstance(spot.node, MappingNode):
            raise FormatError(spot.line, f"'{CONFIGS}' is not a mapping")
        for key, _ in spot.node.value:
            name = str(key.value)
            if (found := self.manifests.member(spot, name)) is None:
                raise FormatError(int(key.start_mark.line) + 1, f"the key {name} is not text")
            yield name, Config(found.line, dict(self._read_tls(found, name)))

    def _read_tls(self, spot: Spot, name: str) -> Iterator[tuple[str, str]]:
        tls = None if spot.is_null else self.manifests.member(self._require_mapping(spot, name), TLS)
        if tls is not None and not tls.is_null:
            for key, value in as_mapping(self._require_mapping(tls, f"{TLS} of {name}").node).value:
                if isinstance(value, ScalarNode):
                    yield str(key.value), str(value.value)

    def _require_mapping(self, spot: Spot, name: str) -> Spot:
        if not isinstance(spot.node, MappingNode):
            raise FormatError(spot.line, f"'{CONFIGS}': {name} is not a mapping")
        return spot

    def _read_mirrors(self) -> Iterator[tuple[str, Mirror]]:
        spot = self.mirrors_spot
        if spot is None or spot.is_null:
            return
        if not isinstance(spot.node, MappingNode):
            raise FormatError(spot.line, f"'{MIRRORS}' is not a mapping")
        for key, _ in spot.node.value:
            name = str(key.value)
            if (found := self.manifests.member(spot, name)) is None:
                raise FormatError(int(key.start_mark.line) + 1, f"the key {name} is not text")
            if not found.is_null and not isinstance(found.node, MappingNode):
                raise FormatError(found.line, f"the mirror of {name} is not a mapping")
            yield name, self._read_mirror(found)

    def _read_mirror(self, spot: Spot) -> Mirror:
        endpoints = self.manifests.member(spot, ENDPOINT)
        rewrite = self.manifests.member(spot, REWRITE)
        urls = []
        for item in self.manifests.items(endpoints):
            if not isinstance(item.node, ScalarNode):
                raise FormatError(item.line, "an endpoint is not text")
            urls.append(str(item.node.value))
        return Mirror(spot, endpoints, tuple(urls), rewrite is not None and not rewrite.is_null)


def load_values(file: RegistriesFile) -> dict[str, Any]:
    """Return everything that the file sets, each scalar as its text, to compare it. Raises FormatError."""
    try:
        values = yaml.load(file.text, yaml.BaseLoader)  # noqa: S506 - it makes texts of all scalars, and nothing else
    except yaml.YAMLError:
        # the words of the error quote the text, which may hold a password
        raise FormatError(1, "it has a value that cannot be read") from None
    return values if isinstance(values, dict) else {}


def read_options(content: bytes, names: frozenset[str]) -> dict[str, str]:
    """Return the text of these keys of a configuration file in YAML. Raises FormatError."""
    manifests = Manifests(content.removeprefix(_MARK).decode("utf-8", "replace"))
    root = manifests.roots[0] if manifests.roots else None
    if root is None or root.is_null:
        return {}
    found = {name: manifests.member(root, name) for name in names}
    return {name: str(one.node.value) for name, one in found.items() if one and isinstance(one.node, ScalarNode)}


def require_editable(spot: Spot) -> None:
    """Raise NotEditableError for a value that other places share."""
    if spot.obstacle:
        raise NotEditableError(spot.line, spot.obstacle)


def as_mapping(node: Node) -> MappingNode:
    """Return a node that is a mapping. Raises NotEditableError."""
    if not isinstance(node, MappingNode):
        raise NotEditableError(int(node.start_mark.line) + 1, "expected a mapping")
    return node
