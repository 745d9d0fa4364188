"""Node states made from file trees, and what becomes of them when a plan is carried out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.model.address import Address
from harbor_agent.model.daemon import RunningContainer, UnitState
from harbor_agent.model.policy import DesiredState
from harbor_agent.model.runtimes.docker import NAME, DockerState, LiveRegistryConfig
from harbor_agent.model.state import FileKind, FileState, NodeState, Record, System
from harbor_agent.planning.docker.state import find_docker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.plan import Plan
    from harbor_agent.planning.files.render import Templates

TEMPLATES_FOLDER = Path(__file__).resolve().parents[4] / "templates"
TEMPLATES: Templates = {path.name: path.read_text() for path in TEMPLATES_FOLDER.glob("*.j2")}
UNIT = "docker.service"
HARBOR = "192.168.0.99"
CONTAINER = RunningContainer(name="web", image="nginx", restart_policy="always")
DEBIAN_UNIT = """[Unit]
Description=Docker Application Container Engine

[Service]
Type=notify
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
ExecReload=/bin/kill -s HUP $MAINPID
"""
PLAIN_UNIT = DEBIAN_UNIT.replace(" $DOCKER_OPTS", "").replace("EnvironmentFile=-/etc/default/docker\n", "")
FRAGMENT = "/usr/lib/systemd/system/docker.service"
DROP_INS = "/etc/systemd/system/docker.service.d"
OPTIONS = f"{DROP_INS}/docker-options.conf"
DAEMON_JSON = "/etc/docker/daemon.json"


def regular(path: str, content: bytes | str) -> FileState:
    data = content.encode() if isinstance(content, str) else content
    return FileState(path=path, kind=FileKind.REGULAR, content=data, mode=0o644)


def symlink(path: str, target: str, content: bytes | None = None) -> FileState:
    return FileState(path=path, kind=FileKind.SYMLINK, link_target=target, content=content, mode=0o777)


def files_of(contents: Mapping[str, bytes | str]) -> dict[str, FileState]:
    return {path: regular(path, content) for path, content in contents.items()}


def read_tree(root: Path, symlinks: Mapping[str, str] | None = None) -> dict[str, FileState]:
    files = {
        f"/{path.relative_to(root)}": regular(f"/{path.relative_to(root)}", path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
    return {**files, **{path: symlink(path, target) for path, target in (symlinks or {}).items()}}


def offline(files: Mapping[str, FileState], version: str = "20.10.24") -> NodeState:
    docker = DockerState(unit=UnitState(name=UNIT), version=version)
    return NodeState(system=System(), runtimes=(docker,), files=files, offline=True)


def docker_of(state: NodeState) -> DockerState:
    docker = find_docker(state)
    assert docker
    return docker


def with_docker(state: NodeState, **settings: object) -> NodeState:
    """Return the node with another daemon."""
    return replace(state, runtimes=(replace(docker_of(state), **settings),))  # type: ignore[arg-type]


def with_record(state: NodeState, record: Record) -> NodeState:
    return replace(state, records={NAME: record})


def record_of(state: NodeState) -> Record:
    return state.records[NAME]


def node(contents: Mapping[str, bytes | str], version: str = "20.10.24") -> NodeState:
    """Return a file system tree without a running system."""
    return offline(files_of(contents), version)


def running(
    state: NodeState, argv: tuple[str, ...], entries: tuple[str, ...] = (), *, live_restore: bool = False
) -> NodeState:
    """Return the node with a daemon that runs with `argv` and trusts `entries`."""
    live = LiveRegistryConfig(
        insecure_cidrs=("127.0.0.0/8", *(entry for entry in entries if "/" in entry)),
        insecure_entries=tuple(entry for entry in entries if "/" not in entry),
    )
    docker = replace(
        docker_of(state),
        unit=UnitState(name=UNIT, load_state="loaded", active_state="active"),
        argv=argv,
        live=live,
        live_restore=live_restore,
        containers=(CONTAINER,),
    )
    system = System(init="systemd", systemd_version="252", privileged=True)
    return replace(state, system=system, runtimes=(docker,), offline=False)


def stopped(state: NodeState) -> NodeState:
    """Return the node with a daemon that does not run."""
    docker = replace(docker_of(state), unit=UnitState(name=UNIT, load_state="loaded", active_state="failed"))
    system = System(init="systemd", systemd_version="252", privileged=True)
    return replace(state, system=system, runtimes=(docker,), offline=False)


def applied(state: NodeState, plan: Plan) -> NodeState:
    """Return the node after the plan: its files, its record, and a daemon that has read them."""
    files = {**state.files, **{change.path: change.after for change in plan.changes}}
    record = Record(run_id="r1", entries=plan.owned_entries, created_files=plan.created_files)
    after = replace(state, files=files, records={NAME: record})
    if state.offline:
        return after
    return running(after, plan.activation.arguments, plan.activation.expected)


def want(*entries: str, **settings: object) -> DesiredState:
    return DesiredState(present=tuple(Address.parse(entry) for entry in entries), **settings)  # type: ignore[arg-type]


def unwant(*entries: str, **settings: object) -> DesiredState:
    return DesiredState(absent=tuple(map(Address.parse_removal, entries)), **settings)  # type: ignore[arg-type]


def shown(files: Mapping[str, FileState]) -> dict[str, bytes | str | None]:
    """Return the tree as a reader of it sees it: contents and link targets by path."""
    return {path: file.link_target or file.content for path, file in files.items() if file.exists}
