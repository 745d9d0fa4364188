"""File trees with CRI-O or podman, and what becomes of them when a plan is carried out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.model.address import Address
from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.model.policy import DesiredState
from harbor_agent.model.state import FileKind, FileState, Record
from harbor_agent.planning.containers_image.runtime import crio, podman

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.state import NodeState

HARBOR = "192.168.0.99"
MAIN = "/etc/containers/registries.conf"
FOLDER = "/etc/containers/registries.conf.d"
OWN = f"{FOLDER}/50-{HARBOR}.conf"
OURS = b'[[registry]]\nprefix = "192.168.0.99"\nlocation = "192.168.0.99"\ninsecure = true\n'


class Files:
    """A tree in memory."""

    def __init__(self, contents: Mapping[str, str | bytes]) -> None:
        self.contents = contents

    def state(self, path: str) -> FileState:
        content = self.contents.get(path)
        if content is None:
            return FileState(path=path)
        data = content.encode() if isinstance(content, str) else content
        return FileState(path=path, kind=FileKind.REGULAR, content=data, mode=0o644)

    def names(self, directory: str) -> list[str]:
        below = [path.removeprefix(f"{directory}/") for path in self.contents if path.startswith(f"{directory}/")]
        return sorted({path.partition("/")[0] for path in below})


def node(contents: Mapping[str, str | bytes], version: str = "4.3.1") -> NodeState:
    return podman.observe_tree(Files(contents), version)


def crio_node(contents: Mapping[str, str | bytes], version: str = "1.36.3") -> NodeState:
    return crio.observe_tree(Files(contents), version)


def want(*entries: str) -> DesiredState:
    return DesiredState(present=tuple(map(Address.parse, entries)))


def unwant(*entries: str) -> DesiredState:
    return DesiredState(absent=tuple(map(Address.parse, entries)))


def decide(state: NodeState, desired: DesiredState | None = None) -> Plan | Refusal:
    name = state.runtimes[0].name  # type: ignore[union-attr]
    runtime = podman if name == "podman" else crio
    return runtime.plan("node-1", state, desired or want(HARBOR), {})


def planned(state: NodeState, desired: DesiredState | None = None) -> Plan:
    decision = decide(state, desired)
    assert isinstance(decision, Plan), decision.problem
    return decision


def refused(state: NodeState, desired: DesiredState | None = None) -> Refusal:
    decision = decide(state, desired)
    assert isinstance(decision, Refusal), decision.reason
    return decision


def applied(state: NodeState, plan: Plan) -> NodeState:
    files = {**state.files, **{change.path: change.after for change in plan.changes}}
    before = state.records.get(plan.runtime) or Record()
    record = Record(
        run_id="r1",
        entries=plan.owned_entries,
        created_files=plan.created_files,
        file_hashes={**before.file_hashes, **dict.fromkeys((change.path for change in plan.changes), "")},
    )
    return replace(state, files=files, records={plan.runtime: record})


def shown(state: NodeState) -> dict[str, bytes | None]:
    return {path: file.content for path, file in state.files.items() if file.exists}
