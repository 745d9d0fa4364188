"""What docker/probe.sh prints, as a `DockerState`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from harbor_agent.errors import Problem
from harbor_agent.model.daemon import RunningContainer
from harbor_agent.model.runtimes.docker import DockerState, LiveRegistryConfig
from harbor_agent.node.wire.framing import decode_json, refuse
from harbor_agent.node.wire.unit import (
    build_unit,
    find_changed_files,
    read_argv,
    read_lines,
    read_text,
    read_unit_facts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VERSION = re.compile(r"version ([^\s,]+)")
# Only holds the namespaces of a pod (kubernetes, pkg/kubelet/dockershim/naming.go; cri-dockerd has the same).
_SANDBOX = "k8s_POD_"


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
    state = replace(_build_state(unit, blocks), changed_files=find_changed_files(blocks, changed))
    message = ""
    if silent := read_text(blocks, "silent").strip():
        message = f"dockerd did not answer: {silent}"
    elif "daemon" in blocks and "containers" not in blocks:
        message = "dockerd did not list its containers"
    return state, (Problem(code="docker-silent", message=message),) if message else ()


def _build_state(unit: str, blocks: Mapping[str, bytes]) -> DockerState:
    live, live_restore, version, swarm = _decode_daemon(blocks)
    return DockerState(
        unit=build_unit(unit, read_unit_facts(blocks)),
        version=version,
        argv=read_argv(blocks),
        environment=dict(line.split("=", 1) for line in read_lines(blocks, "environment") if "=" in line),
        live=live,
        live_restore=live_restore,
        swarm=swarm,
        containers=tuple(_decode_containers(blocks)) if "containers" in blocks else None,
        socket_owner=tuple(read_text(blocks, "socket-owner").split()),
        certificate_files={
            path: kind for kind, _, path in (line.partition(" ") for line in read_lines(blocks, "certificates"))
        },
    )


def _decode_daemon(blocks: Mapping[str, bytes]) -> tuple[LiveRegistryConfig | None, bool | None, str, str]:
    """Return live configuration, live-restore, version and swarm; a daemon with an error of its own answers null."""
    lines = read_lines(blocks, "daemon")
    if not lines:
        match = _VERSION.search(read_text(blocks, "version"))
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
    for line in read_lines(blocks, "containers"):
        try:
            name, image, policy, pod = decode_json(line.encode(), tuple[str, str, str | None, str | None])
        except ValueError:
            raise refuse("node-answer-unknown", f"a container is described as {line[:80]!r}") from None
        name = name.removeprefix("/")
        if name.startswith(_SANDBOX):
            continue
        yield RunningContainer(
            name=name,
            image=image,
            restart_policy=policy or "no",
            kubernetes=bool(pod) or name.startswith("k8s_"),
        )
