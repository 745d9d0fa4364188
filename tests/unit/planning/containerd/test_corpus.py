"""A collection of node states kept elsewhere, in its own form: HARBOR_AGENT_CORPUS names its folder."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from harbor_agent.model.plan import Plan
from harbor_agent.planning.containerd.effective import evaluate
from tests.unit.planning.containerd.nodes import (
    HARBOR,
    applied,
    decide,
    planned,
    read_tree,
    refused,
    running,
    shown,
    unwant,
    want,
)

CORPUS = os.environ.get("HARBOR_AGENT_CORPUS", "")
# What was mended stays mended.
NOT_BACK = {
    "containerd-hosts-broken-toml",
    "containerd-hosts-server-only",
    "containerd-kubespray-2.21-mixed",
    "containerd22-v2config-mirrors",
}


def cases() -> list[object]:
    found = []
    for path in sorted(Path(CORPUS).glob("*/case.yaml")) if CORPUS else []:
        facts = yaml.safe_load(path.read_text(encoding="utf-8"))
        if facts["runtime"] == "containerd":
            found.append(pytest.param(path.parent, facts, id=path.parent.name))
    missing = pytest.mark.skip(reason="set HARBOR_AGENT_CORPUS to the folder of the collection")
    return found or [pytest.param(Path(), {}, id="none", marks=[missing])]


@pytest.mark.parametrize("is_running", [False, True], ids=["tree", "running"])
@pytest.mark.parametrize(("folder", "facts"), cases())
def test_plan_is_the_one_wanted(folder: Path, facts: dict[str, Any], *, is_running: bool) -> None:
    wanted = facts["want"]
    state = read_tree(folder / "root", str(facts["runtime_version"]))
    if evaluate(state).is_cri_disabled:
        assert refused(state).problem.code == "cri-disabled"
        return
    state = running(state) if is_running else state
    if wanted.get("needs_repair"):
        refusal = refused(state)
        assert refusal.problem.code in ("needs-repair", "runtime-config-conflict")
        assert refusal.changes
    plan = planned(state, want(HARBOR, repair=bool(wanted.get("needs_repair"))))
    assert plan.activation.action.value == wanted["action"]
    assert {change.path for change in plan.changes} == set(wanted["files_changed"])
    after = applied(state, plan)
    for path in wanted["files_changed"]:
        expected = (folder / "expected" / path.lstrip("/")).read_bytes()
        content = after.files[path].content or b""
        assert tomllib.loads(content.decode()) == tomllib.loads(expected.decode()), content.decode()
    assert planned(after).is_empty
    undone = applied(after, decide(after, unwant(HARBOR)))
    assert isinstance(decide(undone), Plan)
    if folder.name not in NOT_BACK:
        assert shown(undone) == shown(state)
