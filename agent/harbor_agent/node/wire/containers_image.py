"""What the probes of CRI-O and podman print, as a `ContainersImageState`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.model.runtimes.containers_image import CRIO, CRIO_SOCKET, PODMAN, ContainersImageState
from harbor_agent.node.wire.framing import decode_json, refuse
from harbor_agent.node.wire.unit import build_unit, find_changed_files, read_argv, read_text, read_unit_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.errors import Problem

_VERSION = re.compile(r"\b(\d+\.\d+\.\d+)")
# A registry as Go's %+v prints it (containers/image, pkg/sysregistriesv2); "Endpoint:" is an embedded structure.
_REGISTRY = re.compile(
    r"\{Prefix:(?P<prefix>\S*) Endpoint:\{Location:\S* Insecure:(?P<insecure>true|false)[^}]*\} "
    r"Mirrors:\[.*?\] Blocked:(?P<blocked>true|false)"
)


def decode_podman(
    unit: str,  # noqa: ARG001 - podman has none
    blocks: Mapping[str, bytes],
    changed: Mapping[str, int],  # noqa: ARG001 - podman reads its files with each command
) -> tuple[ContainersImageState, tuple[Problem, ...]]:
    """Decode what podman/probe.sh printed. Raises WireError."""
    registries = None
    if "registries" in blocks:
        try:
            found = decode_json(blocks["registries"], dict)
        except ValueError:
            raise refuse("node-answer-unknown", "podman's registries are not JSON") from None
        registries = {
            str(prefix): bool(one.get("Insecure")) and not one.get("Blocked")
            for prefix, one in found.items()
            if isinstance(one, dict)
        }
    state = ContainersImageState(
        name=PODMAN,
        version=_read_version(blocks),
        registries=registries,
        error=read_text(blocks, "error").strip().removeprefix("Error: "),
    )
    return state, ()


def decode_crio(
    unit: str, blocks: Mapping[str, bytes], changed: Mapping[str, int]
) -> tuple[ContainersImageState, tuple[Problem, ...]]:
    """Decode what crio/probe.sh printed. `changed` is the ctime of each file, in seconds since 1970."""
    state = ContainersImageState(
        name=CRIO,
        version=_read_version(blocks),
        unit=build_unit(unit, read_unit_facts(blocks)),
        argv=read_argv(blocks),
        socket=read_text(blocks, "socket").strip() or CRIO_SOCKET,
        registries=read_applied(read_text(blocks, "registries")),
        changed_files=find_changed_files(blocks, changed),
    )
    return state, ()


def read_applied(words: str) -> dict[str, bool] | None:
    """Return the registries in CRI-O's words about a reload, and whether each is insecure; None without words."""
    if "Registries:[" not in words:
        return None
    return {one["prefix"]: one["insecure"] == "true" and one["blocked"] == "false" for one in _REGISTRY.finditer(words)}


def _read_version(blocks: Mapping[str, bytes]) -> str:
    version = _VERSION.search(read_text(blocks, "version"))
    return version[1] if version else ""
