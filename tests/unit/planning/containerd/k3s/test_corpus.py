"""A collection of node states kept elsewhere, in its own form: HARBOR_AGENT_CORPUS names its folder."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from harbor_agent.local.tree import Tree
from tests.unit.planning.containerd.k3s.nodes import RUNTIMES, applied, shown
from tests.unit.planning.decisions import HARBOR, planned, refused, unwant

CORPUS = os.environ.get("HARBOR_AGENT_CORPUS", "")


def cases() -> list[object]:
    found = []
    for path in sorted(Path(CORPUS).glob("*/case.yaml")) if CORPUS else []:
        facts = yaml.safe_load(path.read_text(encoding="utf-8"))
        runtime = "rke2" if "RKE2" in facts["platform"] else facts["runtime"]
        if runtime in RUNTIMES:
            found.append(pytest.param(path.parent, facts, runtime, id=path.parent.name))
    missing = pytest.mark.skip(reason="set HARBOR_AGENT_CORPUS to the folder of the collection")
    return found or [pytest.param(Path(), {}, "", id="none", marks=[missing])]


def load(content: bytes, path: str) -> object:
    return tomllib.loads(content.decode()) if path.endswith(".toml") else yaml.safe_load(content)


@pytest.mark.parametrize(("folder", "facts", "runtime"), cases())
def test_plan_is_the_one_wanted(folder: Path, facts: dict[str, Any], runtime: str) -> None:
    wanted = facts["want"]
    state = RUNTIMES[runtime].observe_tree(Tree(str(folder / "root")), str(facts.get("runtime_version", "1.31")))
    if wanted["action"] == "refuse":
        assert refused(state).problem.code == "template-without-base"
        return
    plan = planned(state)
    assert plan.activation.action.value == wanted["action"]
    assert {change.path for change in plan.changes} == set(wanted["files_changed"])
    after = applied(state, plan)
    for path in wanted["files_changed"]:
        expected = (folder / "expected" / path.lstrip("/")).read_bytes()
        assert load(after.files[path].content or b"", path) == load(expected, path)
    assert planned(after).is_empty
    assert shown(applied(after, planned(after, unwant(HARBOR)))) == shown(state)
