"""A collection of node states kept elsewhere, in its own form: HARBOR_AGENT_CORPUS names its folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from harbor_agent.formats.docker.daemon_json import INSECURE_REGISTRIES, parse_daemon_json
from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.node import plan_node
from tests.unit.planning.docker.nodes import (
    HARBOR,
    TEMPLATES,
    applied,
    offline,
    read_tree,
    running,
    shown,
    unwant,
    want,
)

CORPUS = os.environ.get("HARBOR_AGENT_CORPUS", "")

# docs/decisions/0014: it revives dead settings as text-unbalanced-quote does, which is marked so.
REVIVES = {"text-trailing-space-after-backslash"}
# What was mended stays mended, and named entries go from where they stood before, too.
NOT_BACK = {
    "envfile-shell-append",
    "json-and-flag-same-value",
    "json-empty-file",
    "kubespray-plus-daemonjson-conflict",
    "text-trailing-space-after-backslash",
    "text-unbalanced-quote",
}


def cases() -> list[object]:
    found = []
    for path in sorted(Path(CORPUS).glob("*/case.yaml")) if CORPUS else []:
        facts = yaml.safe_load(path.read_text(encoding="utf-8"))
        if facts["runtime"] == "docker":
            found.append(pytest.param(path.parent, facts, id=path.parent.name))
    missing = pytest.mark.skip(reason="set HARBOR_AGENT_CORPUS to the folder of the collection")
    return found or [pytest.param(Path(), {}, id="none", marks=[missing])]


@pytest.mark.parametrize(("folder", "facts"), cases())
def test_plan_is_the_one_wanted(folder: Path, facts: dict[str, object]) -> None:
    wanted = facts["want"]
    verified = facts.get("verified", {})
    assert isinstance(wanted, dict)
    assert isinstance(verified, dict)
    tree = offline(read_tree(folder / "root", facts.get("symlinks")))  # type: ignore[arg-type]
    live = tree
    if facts.get("dockerd_would_start_before") and verified.get("argv_before"):
        live = running(tree, tuple(verified["argv_before"]), tuple(facts["effective_insecure_before"]))  # type: ignore[arg-type]
    needs_repair = bool(wanted.get("needs_repair")) or folder.name in REVIVES
    for state in (live, tree):
        if needs_repair:
            refusal = plan_node("node-1", state, want(HARBOR), TEMPLATES)
            assert isinstance(refusal, Refusal)
            assert refusal.problem.code == "needs-repair"
            assert refusal.changes
        plan = plan_node("node-1", state, want(HARBOR, repair=needs_repair), TEMPLATES)
        action = plan.activation.action.value if isinstance(plan, Plan) else "refuse"
        assert action == wanted["action"], getattr(plan, "problem", plan)
        if not isinstance(plan, Plan):
            continue
        after = applied(state, plan)
        effective = evaluate(after)
        resolved = [one.replace("host=%H", "host=vm") for one in plan.activation.arguments]
        assert resolved == wanted.get("dockerd_argv", [])
        assert set(effective.entries) == set(wanted["effective_insecure_after"])
        for path, file in read_tree(folder / "expected").items():
            if path.endswith(".json"):
                expected = parse_daemon_json(file.content or b"").strings(INSECURE_REGISTRIES)
                assert parse_daemon_json(after.files[path].content or b"").strings(INSECURE_REGISTRIES) == expected
        again = plan_node("node-1", after, want(HARBOR), TEMPLATES)
        assert isinstance(again, Plan)
        assert again.is_empty
        if plan.changes and state.offline and folder.name not in NOT_BACK:
            undo = plan_node("node-1", after, unwant(HARBOR), TEMPLATES)
            assert isinstance(undo, Plan), undo.problem
            assert shown(applied(after, undo).files) == shown(state.files)
