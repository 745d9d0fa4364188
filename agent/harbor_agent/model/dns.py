"""The cluster's DNS servers as observed, and the registry names that they should answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.errors import Problem

CUSTOM_NAME: Final = "coredns-custom"  # k3s, AKS and Gardener mount this ConfigMap if it exists
CUSTOM_FOLDER: Final = "/etc/coredns/custom"


class ServerKind(StrEnum):
    """The program that answers: CoreDNS itself, or CoreDNS as the cache on each node."""

    COREDNS = "coredns"
    NODE_CACHE = "node-cache"


class EntryForm(StrEnum):
    """The form in which an entry was added, which says what its removal removes."""

    LINE = "line"  # in a hosts directive of another program
    BODY = "body"  # with the body of a hosts directive that had none
    DIRECTIVE = "directive"  # with the hosts directive itself
    BLOCK = "block"  # as a server block


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsEntry:
    """A name and the address that it should be answered with."""

    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEntry:
    """An entry that this tool added: the key of the ConfigMap that has it, and its form.

    `digest` is the hash of the key's text after the last change of ours, "" if it is not known.
    """

    entry: DnsEntry
    key: str
    form: EntryForm
    digest: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMapState:
    """A ConfigMap. `managers` are the field managers of its data, `owners` the kinds of its ownerReferences."""

    namespace: str
    name: str
    data: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    managers: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    uid: str = ""
    resource_version: str = ""

    @property
    def full_name(self) -> str:
        """Namespace and name, as in kubectl's messages."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsServer:
    """One DNS server of the cluster and its ConfigMaps.

    `custom` is the ConfigMap mounted at `CUSTOM_FOLDER`, None if `custom_name` does not exist. `version` is that of
    the image, None if its tag is not a version. `node_resolvers` are the nameservers of the nodes' resolv.conf, None
    if not known. `coredns_upstreams` (node-cache) are what CoreDNS forwards to, None if not known.
    """

    kind: ServerKind
    config: ConfigMapState
    custom: ConfigMapState | None = None
    custom_name: str = CUSTOM_NAME
    version: tuple[int, ...] | None = None
    node_resolvers: tuple[str, ...] | None = None
    coredns_upstreams: tuple[str, ...] | None = None


ABSENT: Final = "absent"


def hash_text(text: str) -> str:
    """Return the SHA-256 (hex) of the text of one key."""
    return hashlib.sha256(text.encode()).hexdigest()


def hash_data(data: Mapping[str, str]) -> str:
    """Return the SHA-256 (hex) of all keys of a ConfigMap with their texts."""
    return hashlib.sha256(json.dumps(dict(data), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMapChange:
    """A ConfigMap before and after. Empty `before.data` and no uid: it is created; `after` None: it is deleted."""

    before: ConfigMapState
    after: ConfigMapState | None

    @property
    def creates(self) -> bool:
        """Whether the ConfigMap does not exist yet."""
        return not self.before.uid

    @property
    def before_hash(self) -> str:
        """The hash of the texts before, `ABSENT` if the ConfigMap is created."""
        return ABSENT if self.creates else hash_data(self.before.data)

    @property
    def after_hash(self) -> str:
        """The hash of the texts afterwards, `ABSENT` if the ConfigMap is deleted."""
        return hash_data(self.after.data) if self.after else ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsPlan:
    """What changes so that a server answers the entries; no changes if it does already, or if it is refused.

    `restarts`: its pods read the change only when they restart.
    """

    server: DnsServer
    changes: tuple[ConfigMapChange, ...] = ()
    refusal: Problem | None = None
    warnings: tuple[Problem, ...] = ()
    restarts: bool = False
