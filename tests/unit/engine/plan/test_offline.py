"""Every case of tests/cases as a tree on disk: the same files change as on a node, and no others."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from harbor_agent.engine.plan.offline import apply_tree, plan_tree
from harbor_agent.engine.request.request import RegistryFlags, RunRequest
from harbor_agent.engine.request.resolve import Resolved, build_policy
from harbor_agent.model.policy import RouteChoice
from harbor_agent.model.result import Outcome
from harbor_agent.planning.config.schema import PolicyLayer

CASES = sorted(path.parent for path in (Path(__file__).resolve().parents[3] / "cases/docker").glob("*/case.yaml"))


@dataclass(frozen=True)
class Tree:
    root: Path
    facts: dict[str, object]
    resolved: Resolved

    def contents(self) -> dict[str, bytes]:
        found = (path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink())
        return {f"/{path.relative_to(self.root)}": path.read_bytes() for path in found}


@pytest.fixture(params=CASES, ids=lambda path: path.name)
def case(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def tree(case: Path, tmp_path: Path) -> Tree:
    facts = yaml.safe_load((case / "case.yaml").read_text(encoding="utf-8"))
    root = tmp_path / "root"
    shutil.copytree(case / "root", root)
    for path, target in facts.get("links", {}).items():
        link = root / path.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    flags = RegistryFlags(
        addresses=tuple(facts.get("registries", ["192.168.0.99"])), route=RouteChoice(facts.get("route", "auto"))
    )
    request = RunRequest(
        flags=flags, repair=facts.get("repair", False), docker_version=str(facts.get("version", "20.10.24"))
    )
    resolved = Resolved(request=request, general=build_policy(PolicyLayer(), flags))
    return Tree(root=root, facts=facts, resolved=resolved)


def test_the_tree_changes_as_the_node_would(case: Path, tree: Tree) -> None:
    before = tree.contents()
    planned = plan_tree(str(tree.root), tree.resolved)
    result = apply_tree(str(tree.root), planned)
    expect = tree.facts["expect"]
    assert isinstance(expect, dict)
    if "refusal" in expect:
        assert (result.outcome, planned.problem and planned.problem.code) == (Outcome.REFUSED, expect["refusal"])
        assert tree.contents() == before
        return
    expected = Tree(root=case / "expected", facts={}, resolved=tree.resolved).contents()
    changed = {path: content for path, content in tree.contents().items() if before.get(path) != content}
    assert changed == expected
    again = plan_tree(str(tree.root), tree.resolved)
    assert again.outcome is Outcome.UNCHANGED
