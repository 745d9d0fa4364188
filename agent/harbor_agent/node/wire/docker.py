"""What docker/probe.sh prints, as a `DockerState`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from harbor_agent.errors import Problem
from harbor_agent.model.daemon import RunningContainer, UnitState
from harbor_agent.model.runtimes.docker import DockerState, LiveRegistryConfig
from harbor_agent.node.wire.framing import decode_json, parse_number, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# In seconds: a start is known to the second only, and a file may be written right before it.
_START_TOLERANCE = 2
_VERSION = re.compile(r"version ([^\s,]+)")


class _Index(TypedDict, total=False):
    """What `docker info` says about one registry."""

    Secure: bool


class _Registry(TypedDict, total=False):
    """The members of `.RegistryConfig` of `docker info` that are read; empty lists may be null."""

    IndexConfigs: dict[str, _Index | None] | None
    InsecureRegistryCIDRs: list[str] | None
    Mirrors: list[str] | None


def decode_docker(
    unit: str, blocks: Mapping[str, bytes], changed: Mapping[str, int]
) -> tuple[DockerState, tuple[Problem, ...]]:
    """Decode what docker/probe.sh printed, and why the daemon's part is missing, if it is.

    `changed` is the ctime of each file, in seconds since 1970. Raises WireError.
    """
    state = replace(_build_state(unit, blocks), changed_files=_find_changed_files(blocks, changed))
    message = ""
    if silent := _text(blocks, "silent").strip():
        message = f"dockerd did not answer: {silent}"
    elif "daemon" in blocks and "containers" not in blocks:
        message = "dockerd did not list its containers"
    return state, (Problem(code="docker-silent", message=message),) if message else ()


def _find_changed_files(blocks: Mapping[str, bytes], changed: Mapping[str, int]) -> tuple[str, ...] | None:
    started = _text(blocks, "started").strip()
    if not started:
        return None
    latest = parse_number(started) + _START_TOLERANCE
    return tuple(path for path, seconds in changed.items() if seconds > latest)


def _build_state(unit: str, blocks: Mapping[str, bytes]) -> DockerState:
    facts = dict(line.split("=", 1) for line in _lines(blocks, "unit") if "=" in line)
    argv = blocks.get("argv")
    live, live_restore, version, swarm = _decode_daemon(blocks)
    return DockerState(
        unit=UnitState(
            name=unit,
            load_state=facts.get("LoadState", ""),
            active_state=facts.get("ActiveState", ""),
            unit_file_state=facts.get("UnitFileState", ""),
            fragment_path=facts.get("FragmentPath", ""),
            drop_in_paths=tuple(filter(None, facts.get("DropInPaths", "").split(" "))),
            need_daemon_reload=facts.get("NeedDaemonReload") == "yes",
        ),
        version=version,
        argv=tuple(argv.decode("utf-8", "surrogateescape").removesuffix("\0").split("\0")) if argv else None,
        environment=dict(line.split("=", 1) for line in _lines(blocks, "environment") if "=" in line),
        live=live,
        live_restore=live_restore,
        swarm=swarm,
        containers=tuple(_decode_containers(blocks)) if "containers" in blocks else None,
        socket_owner=tuple(_text(blocks, "socket-owner").split()),
    )


def _decode_daemon(blocks: Mapping[str, bytes]) -> tuple[LiveRegistryConfig | None, bool | None, str, str]:
    """Return live configuration, live-restore, version and swarm; a daemon with an error of its own answers null."""
    lines = _lines(blocks, "daemon")
    if not lines:
        match = _VERSION.search(_text(blocks, "version"))
        return None, None, match[1] if match else "", ""
    try:
        described = [line.encode() for line in lines]
        registry = decode_json(described[0], _Registry | None)
        live_restore = decode_json(described[1], bool | None)
        version, swarm = (decode_json(line, str | None) for line in described[2:])
        if not version or registry is None:
            return None, None, "", ""
        indexes = registry.get("IndexConfigs") or {}
        live = LiveRegistryConfig(
            insecure_cidrs=tuple(registry.get("InsecureRegistryCIDRs") or ()),
            insecure_entries=tuple(sorted(name for name, index in indexes.items() if not (index or {}).get("Secure"))),
            mirrors=tuple(registry.get("Mirrors") or ()),
        )
    except (ValueError, IndexError):
        raise refuse("node-answer-unknown", "dockerd describes itself in an unknown form") from None
    return live, bool(live_restore), version, swarm or ""


def _decode_containers(blocks: Mapping[str, bytes]) -> Iterator[RunningContainer]:
    for line in _lines(blocks, "containers"):
        try:
            name, image, policy, pod = decode_json(line.encode(), tuple[str, str, str | None, str | None])
        except ValueError:
            raise refuse("node-answer-unknown", f"a container is described as {line[:80]!r}") from None
        name = name.removeprefix("/")
        yield RunningContainer(
            name=name,
            image=image,
            restart_policy=policy or "no",
            kubernetes=bool(pod) or name.startswith("k8s_"),
        )


def _text(blocks: Mapping[str, bytes], name: str) -> str:
    return blocks.get(name, b"").decode("utf-8", "replace")


def _lines(blocks: Mapping[str, bytes], name: str) -> list[str]:
    return [line for line in _text(blocks, name).split("\n") if line]
