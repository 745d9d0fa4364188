"""What the probe reports of a node's name resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.state import NameService

if TYPE_CHECKING:
    from collections.abc import Mapping


def decode_name_service(blocks: Mapping[str, bytes], resolved: Mapping[str, tuple[str, ...]]) -> NameService | None:
    """Decode the blocks of names.sh by their names; None if the probe was not about names."""
    if "nsswitch" not in blocks:
        return None
    lines = {name: value.decode("utf-8", "replace").splitlines() for name, value in blocks.items()}
    settings = (line.partition(":") for line in lines.get("cloud-init", ()))
    return NameService(
        is_mount=bool(lines.get("mount")),
        nsswitch=(lines["nsswitch"] or [""])[0],
        cloud_init=tuple((path, line) for path, _, line in settings),
        resolved=resolved,
    )


def parse_addresses(text: str) -> tuple[str, ...] | None:
    """Return the addresses that a name resolves to; None for "-": the node could not look it up."""
    return None if text == "-" else tuple(word for word in text.split(",") if word and word != "none")
