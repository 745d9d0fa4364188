"""Plans and drift checks of shards, which other machines wrote with -o json."""

from __future__ import annotations

from dataclasses import dataclass, field

# Documents are decoded by these types, so they must be there at run time.
from harbor_agent.model.inventory import NodeSet, Shard  # noqa: TC001

KINDS = {"harbor-agent/plan/2": "plan", "harbor-agent/drift/2": "drift"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """The members by which parts are compared."""

    schema: str
    exit_code: int
    inventory: NodeSet | None
    fleet: NodeSet | None
    shard: Shard | None
    nodes: tuple[_Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFile:
    """The document of a plan or a drift check of one shard; `document` is JSON, `kind` "plan" or "drift"."""

    path: str
    kind: str
    exit_code: int
    inventory: NodeSet | None
    fleet: NodeSet | None
    shard: Shard | None
    names: tuple[str, ...]
    document: dict[str, object] = field(repr=False)
    after: str | None = None


def decode_part(path: str, content: bytes) -> PartFile:
    """Decode a document of one of KINDS. Raises msgspec.DecodeError."""
    import msgspec  # noqa: PLC0415 - not needed for --help

    frame = msgspec.json.decode(content, type=_Frame)
    return PartFile(
        path=path,
        kind=KINDS[frame.schema],
        exit_code=frame.exit_code,
        inventory=frame.inventory,
        fleet=frame.fleet,
        shard=frame.shard,
        names=tuple(node.node for node in frame.nodes),
        document=msgspec.json.decode(content, type=dict[str, object]),
    )
