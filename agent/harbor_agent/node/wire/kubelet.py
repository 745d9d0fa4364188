"""What kubelet.sh reports, as a `Kubelet`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.model.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION = re.compile(r"\bv?(\d+\.\d+[^\s]*)")


def decode_kubelet(blocks: Mapping[str, bytes], sockets: Mapping[str, str]) -> Kubelet | None:
    """Decode the blocks of the node's kubelet; None if none runs."""
    if "argv" not in blocks:
        return None
    version = _VERSION.search(blocks.get("version", b"").decode("utf-8", "replace"))
    return Kubelet(
        argv=tuple(blocks["argv"].decode("utf-8", "surrogateescape").removesuffix("\0").split("\0")),
        version=version[1] if version else "",
        configured_endpoints=_split_lines(blocks.get("configured", b"")),
        shim_endpoints=_split_lines(blocks.get("shims", b"")),
        sockets=dict(sockets),
        login_files=_split_lines(blocks.get("login-files", b"")),
        answers_for_health=bool(blocks.get("health", b"?").strip()),
    )


def _split_lines(block: bytes) -> tuple[str, ...]:
    return tuple(line for line in block.decode("utf-8", "surrogateescape").split("\n") if line)
