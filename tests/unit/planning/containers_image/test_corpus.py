"""A collection of node states kept elsewhere, in its own form: HARBOR_AGENT_CORPUS names its folder."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from harbor_agent.local.tree import Tree
from harbor_agent.planning.containers_image.runtime import crio, podman
from tests.unit.planning.containers_image.nodes import applied, shown
from tests.unit.planning.decisions import HARBOR, planned, refused, unwant

CORPUS = os.environ.get("HARBOR_AGENT_CORPUS", "")
RUNTIMES = {"cri-o": crio, "podman": podman}


def cases() -> list[object]:
    found = []
    for path in sorted(Path(CORPUS).glob("*/case.yaml")) if CORPUS else []:
        facts = yaml.safe_load(path.read_text(encoding="utf-8"))
        if facts["runtime"] in RUNTIMES:
            found.append(pytest.param(path.parent, facts, id=path.parent.name))
    missing = pytest.mark.skip(reason="set HARBOR_AGENT_CORPUS to the folder of the collection")
    return found or [pytest.param(Path(), {}, id="none", marks=[missing])]


@pytest.mark.parametrize(("folder", "facts"), cases())
def test_plan_is_the_one_wanted(folder: Path, facts: dict[str, Any]) -> None:
    wanted = facts["want"]
    state = RUNTIMES[facts["runtime"]].observe_tree(Tree(str(folder / "root")), str(facts["runtime_version"]))
    if wanted["action"] == "refuse":
        assert refused(state).problem.code in ("file-invalid", "file-managed")
        return
    plan = planned(state)
    assert plan.activation.action.value == wanted["action"]
    assert {change.path for change in plan.changes} == set(wanted["files_changed"])
    after = applied(state, plan)
    for path in wanted["files_changed"]:
        expected = (folder / "expected" / path.lstrip("/")).read_bytes()
        assert tomllib.loads((after.files[path].content or b"").decode()) == tomllib.loads(expected.decode())
    assert planned(after).is_empty
    assert shown(applied(after, planned(after, unwant(HARBOR)))) == shown(state)
