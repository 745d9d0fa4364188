"""Node states with containerd, made from file trees, and what becomes of them when a plan is carried out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.local.tree import Tree
from harbor_agent.model.address import Address
from harbor_agent.model.daemon import RunningContainer, UnitState
from harbor_agent.model.plan import Action, Plan, Refusal
from harbor_agent.model.policy import DesiredState
from harbor_agent.model.runtimes.containerd import DEFAULT_SOCKET, NAME, ContainerdState
from harbor_agent.model.state import FileKind, FileState, NodeState, Record, System
from harbor_agent.planning.containerd.effective import evaluate
from harbor_agent.planning.containerd.runtime import observe_tree, plan
from harbor_agent.planning.containerd.state import find_containerd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HARBOR = "192.168.0.99"
UNIT = "containerd.service"
CONFIG = "/etc/containerd/config.toml"
CERTS = "/etc/containerd/certs.d"
HOSTS = f"{CERTS}/{HARBOR}/hosts.toml"
OURS = 'server = "http://192.168.0.99"\n\n[host."http://192.168.0.99"]\n  capabilities = ["pull", "resolve"]\n'
READS_CERTS = f'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "{CERTS}"\n'
HAS_MIRRORS = """version = 2
[plugins."io.containerd.grpc.v1.cri".registry]
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors]
    [plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]
      endpoint = ["https://registry-1.docker.io"]
"""
POD = RunningContainer(name="web", image="nginx", restart_policy="", kubernetes=True)


def regular(path: str, content: bytes | str) -> FileState:
    data = content.encode() if isinstance(content, str) else content
    return FileState(path=path, kind=FileKind.REGULAR, content=data, mode=0o644)


def node(contents: Mapping[str, bytes | str], version: str = "1.7.24", **settings: object) -> NodeState:
    """Return a file system tree without a running system."""
    files = {path: regular(path, content) for path, content in contents.items()}
    containerd = ContainerdState(unit=UnitState(name=UNIT), version=version, **settings)  # type: ignore[arg-type]
    return NodeState(system=System(), runtimes=(containerd,), files=files, offline=True)


def read_tree(folder: Path, version: str) -> NodeState:
    """Return what `--root` observes of a folder."""
    return observe_tree(Tree(str(folder)), version)


def containerd_of(state: NodeState) -> ContainerdState:
    containerd = find_containerd(state)
    assert containerd
    return containerd


def with_containerd(state: NodeState, **settings: object) -> NodeState:
    """Return the node with another daemon."""
    return replace(state, runtimes=(replace(containerd_of(state), **settings),))  # type: ignore[arg-type]


def running(state: NodeState, **settings: object) -> NodeState:
    """Return the node with a containerd that runs with these files."""
    effective = evaluate(state)
    facts: dict[str, object] = {
        "unit": UnitState(name=UNIT, load_state="loaded", active_state="active"),
        "argv": ("/usr/bin/containerd",),
        "socket": DEFAULT_SOCKET,
        "kill_mode": containerd_of(state).kill_mode or "process",
        "cri_loaded": not effective.conflict and not effective.is_cri_disabled,
        "live_config_path": effective.config_path if effective.version < (2, 0) else None,
        "containers": (POD,),
        "changed_files": (),
    }
    system = System(init="systemd", systemd_version="252", privileged=True)
    return with_containerd(replace(state, system=system, offline=False), **(facts | settings))


def applied(state: NodeState, decision: Plan | Refusal) -> NodeState:
    """Return the node after the plan: its files, its record, and a daemon that was restarted if the plan says so."""
    assert isinstance(decision, Plan), decision.problem
    files = {**state.files, **{change.path: change.after for change in decision.changes}}
    record = Record(
        run_id="r1",
        entries=decision.owned_entries,
        created_files=decision.created_files,
        original_hashes=decision.original_hashes,
        earlier_settings=decision.earlier_settings,
    )
    after = replace(state, files=files, records={NAME: record})
    if state.offline or decision.activation.action is Action.NONE:
        return after
    return running(after)


def want(*entries: str, **settings: object) -> DesiredState:
    return DesiredState(present=tuple(Address.parse(entry) for entry in entries), **settings)  # type: ignore[arg-type]


def unwant(*entries: str, **settings: object) -> DesiredState:
    return DesiredState(absent=tuple(map(Address.parse_removal, entries)), **settings)  # type: ignore[arg-type]


def decide(state: NodeState, desired: DesiredState | None = None) -> Plan | Refusal:
    return plan("node-1", state, desired or want(HARBOR), {})


def planned(state: NodeState, desired: DesiredState | None = None) -> Plan:
    decision = decide(state, desired)
    assert isinstance(decision, Plan), decision.problem
    return decision


def refused(state: NodeState, desired: DesiredState | None = None) -> Refusal:
    decision = decide(state, desired)
    assert isinstance(decision, Refusal), decision.reason
    return decision


def shown(state: NodeState) -> dict[str, bytes | str | None]:
    """Return the files as a reader of them sees them: contents and link targets by path."""
    return {
        path: file.link_target or file.content
        for path, file in state.files.items()
        if file.exists and file.kind is not FileKind.DIRECTORY
    }
