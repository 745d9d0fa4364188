"""What containerd/probe.sh prints, as a `ContainerdState`, and rancher/probe.sh, as a `K3sState`."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.daemon import RunningContainer
from harbor_agent.model.runtimes.containerd import DEFAULT_CONFIG, DEFAULT_SOCKET, K3S, RKE2, ContainerdState, K3sState
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

_VERSION = re.compile(r"\bv?(\d+\.\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?)")
_RANCHER_VERSION = re.compile(r"\bv(\d+\.\d+\.\d+)")
# The blocks of the containerd that k3s or RKE2 starts, beside those of its own of the same name.
_OF_CONTAINERD = "containerd-"
_ANNOTATION = re.compile(r'(?P<container>.+)/config\.json:"io\.kubernetes\.cri\.(?P<name>[a-z-]+)":(?P<value>".*")')
# What an answer says, of a registry that was asked, about an image that cannot exist and without a login.
_ASKED = re.compile(
    r"not found|manifest unknown|401 Unauthorized|403 Forbidden|unauthorized|no basic auth credentials|"
    r"authentication required|authorization failed|insufficient_scope"
)


def decode_containerd(
    unit: str, blocks: Mapping[str, bytes], changed: Mapping[str, int]
) -> tuple[ContainerdState, tuple[Problem, ...]]:
    """Decode what containerd/probe.sh printed, and why the daemon's part is missing, if it is.

    `changed` is the ctime of each file, in seconds since 1970. Raises WireError.
    """
    facts = read_unit_facts(blocks)
    version = _VERSION.search(read_text(blocks, "version"))
    loaded, _, reason = read_text(blocks, "cri").strip().partition(" ")
    state = ContainerdState(
        unit=build_unit(unit, facts),
        version=version[1] if version else "",
        argv=read_argv(blocks),
        socket=read_text(blocks, "socket").strip() or DEFAULT_SOCKET,
        config_file=read_text(blocks, "config-file").strip() or DEFAULT_CONFIG,
        kill_mode=facts.get("KillMode", ""),
        dump=blocks.get("dump"),
        dump_error=read_text(blocks, "dump-error").strip(),
        cri_loaded=loaded == "loaded" if loaded else None,
        cri_error=reason,
        live_config_path=_read_live_config_path(blocks),
        proofs=dict(_find_schemes(blocks)),
        containers=tuple(_decode_containers(blocks)) if "containers" in blocks else None,
        changed_files=find_changed_files(blocks, changed),
    )
    if silent := read_text(blocks, "silent").strip():
        return state, (Problem(code="containerd-silent", message=f"containerd did not answer: {silent}"),)
    return state, ()


def _decode_rancher(
    name: str, unit: str, blocks: Mapping[str, bytes], changed: Mapping[str, int]
) -> tuple[K3sState, tuple[Problem, ...]]:
    """Decode what rancher/probe.sh printed, and why containerd's part is missing, if it is. Raises WireError."""
    version = _RANCHER_VERSION.search(read_text(blocks, "own-version"))
    own = {key: block for key, block in blocks.items() if key not in ("argv", "started")}
    own |= {key.removeprefix(_OF_CONTAINERD): block for key, block in blocks.items() if key.startswith(_OF_CONTAINERD)}
    containerd, problems = decode_containerd(unit, own, changed)
    state = K3sState(
        name=name,
        version=version[1] if version else "",
        unit=containerd.unit,
        argv=read_argv(blocks),
        containerd=containerd,
        changed_files=find_changed_files(blocks, changed),
    )
    return state, problems


decode_k3s = partial(_decode_rancher, K3S)
decode_rke2 = partial(_decode_rancher, RKE2)


def read_scheme(entry: str, answer: str) -> str:
    """Return the scheme by which the registry `entry` was last tried, "" if the answer does not show it.

    An answer that only the registry can give shows that it was reached, by whichever scheme serves its pulls; that is
    "http" here, because the answer to an image that cannot exist names no scheme.
    """
    if re.search(rf"https://{re.escape(entry)}(?![\w.:-])", answer):
        return "https"
    reached = re.search(rf"http://{re.escape(entry)}(?![\w.:-])", answer) or _ASKED.search(answer)
    return "http" if reached else ""


def _find_schemes(blocks: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    for name in blocks:
        keyword, _, entry = name.partition(" ")
        if keyword == "proof" and (scheme := read_scheme(entry, read_text(blocks, name))):
            yield entry, scheme


def _read_live_config_path(blocks: Mapping[str, bytes]) -> str | None:
    if not blocks.get("live-config-path"):
        return None
    return read_text(blocks, "live-config-path").removesuffix("\n")


def _decode_containers(blocks: Mapping[str, bytes]) -> Iterator[RunningContainer]:
    """Decode lines of "PATH/config.json:"ANNOTATION":"VALUE"", several for each container."""
    described: dict[str, dict[str, str]] = defaultdict(dict)
    for line in read_lines(blocks, "containers"):
        match = _ANNOTATION.fullmatch(line)
        if match is None:
            raise refuse("node-answer-unknown", f"a container is described as {line[:80]!r}")
        try:
            described[match["container"]][match["name"]] = decode_json(match["value"].encode(), str)
        except ValueError:
            raise refuse("node-answer-unknown", f"a container is described as {line[:80]!r}") from None
    for container in described.values():
        if container.get("container-type") == "container":
            name = "/".join(container.get(key, "?") for key in ("sandbox-namespace", "sandbox-name", "container-name"))
            yield RunningContainer(
                name=name, image=container.get("image-name", ""), restart_policy="no", kubernetes=True
            )
