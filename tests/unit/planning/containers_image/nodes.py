"""File trees with CRI-O or podman, and what becomes of them when a plan is carried out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.model.state import Record
from harbor_agent.planning.containers_image.runtime import crio, podman
from tests.unit.planning.decisions import HARBOR
from tests.unit.planning.trees import Files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.plan import Plan
    from harbor_agent.model.state import NodeState

MAIN = "/etc/containers/registries.conf"
FOLDER = "/etc/containers/registries.conf.d"
OWN = f"{FOLDER}/50-{HARBOR}.conf"
OURS = b'[[registry]]\nprefix = "192.168.0.99"\nlocation = "192.168.0.99"\ninsecure = true\n'


def node(contents: Mapping[str, str | bytes], version: str = "4.3.1") -> NodeState:
    return podman.observe_tree(Files(contents), version)


def crio_node(contents: Mapping[str, str | bytes], version: str = "1.36.3") -> NodeState:
    return crio.observe_tree(Files(contents), version)


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
