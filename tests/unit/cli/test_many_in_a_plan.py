"""A plan of many nodes: a reader finds those that differ, and warnings that all have stay out of the way."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.plan.offline import plan_tree
from harbor_agent.engine.request.request import RegistryFlags, RunRequest
from harbor_agent.engine.request.resolve import resolve
from harbor_agent.engine.secrets.report import SecretItem, SecretsReport
from harbor_agent.errors import Problem
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import Plan
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import SecretAction, SecretPlan
from harbor_agent.views.text.plan import plan_text
from tests.screen import assert_snapshot, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.plan.nodes import PlannedNode

SCREEN = Path(__file__).parent / "screens/plan-of-200-nodes.txt"
GUIDE = Path(__file__).resolve().parents[3] / "docs/guides/reading-a-plan.md"
PRINT = (
    "import sys; from pathlib import Path; from harbor_agent.cli.console import print_result; "
    "print_result(Path(sys.argv[1]).read_text(encoding='utf-8'))"
)
OPTIONS = "--log-driver=json-file --log-opt max-size=100m --log-opt max-file=3 --storage-driver=overlay2"
OLD = Problem(code="kubelet-login-missing", message="kubelet has no login", hint="give it one")


def plan(tree: Path, options: str, daemon_json: str = "") -> PlannedNode:
    (tree / "etc/default").mkdir(exist_ok=True)
    (tree / "etc/default/docker").write_text(f'DOCKER_OPTS="{options}"\n', encoding="utf-8")
    if daemon_json:
        (tree / "etc/docker").mkdir()
        (tree / "etc/docker/daemon.json").write_text(daemon_json, encoding="utf-8")
    return plan_tree(str(tree), resolve(RunRequest(flags=RegistryFlags(addresses=("192.168.0.99",)))))


def name(planned: PlannedNode, name: str) -> PlannedNode:
    return replace(planned, node=Node(name=name, address=name))


def warn(planned: PlannedNode, *warnings: Problem) -> PlannedNode:
    assert isinstance(planned.decision, Plan)
    return replace(planned, decision=replace(planned.decision, warnings=warnings))


def plain(nodes: Sequence[PlannedNode], secrets: SecretsReport | None = None, *, is_verbose: bool = False) -> str:
    return re.sub("\x1b\\[[0-9;]*m", "", plan_text(nodes, secrets, is_verbose=is_verbose))


@pytest.fixture
def two_hundred(tree: Path) -> list[PlannedNode]:
    """200 nodes of which node057 has another option, and node143 a daemon.json."""
    common, odd = plan(tree, OPTIONS), plan(tree, f"{OPTIONS} --registry-mirror=http://10.0.0.5")
    other = plan(tree, OPTIONS, '{"insecure-registries": ["harbor.corp.example.com"]}\n')
    by_number = {57: odd, 143: other}
    return [name(by_number.get(number, common), f"node{number:03}") for number in range(1, 201)]


def test_the_two_of_200_nodes_that_differ_are_seen_at_80_columns(
    two_hundred: list[PlannedNode], tmp_path: Path
) -> None:
    (tmp_path / "plan").write_text(plan_text(two_hundred, None), encoding="utf-8")
    shown = show([sys.executable, "-c", PRINT, str(tmp_path / "plan")], 80)
    assert_snapshot(shown.text, SCREEN)
    assert [line.split()[0] for line in shown.lines if re.match(r"node\d+ ", line)] == ["node057", "node143"]
    overview = shown.lines[shown.lines.index("200 nodes in 3 groups:") :]
    assert [line.split()[0] for line in overview[1:4]] == ["node057", "node143", "198"]
    assert len(shown.lines) <= 60
    assert shown.text in GUIDE.read_text(encoding="utf-8")


def test_nodes_that_are_alike_need_no_overview(two_hundred: list[PlannedNode]) -> None:
    assert "groups:" not in plain(two_hundred[:50])
    assert "groups:" not in plain([two_hundred[0], two_hundred[56]])


def test_a_warning_of_many_nodes_is_printed_once_and_parts_no_group(two_hundred: list[PlannedNode]) -> None:
    nodes = [warn(node, OLD) for node in two_hundred[:9]]
    text = plain([*nodes, *two_hundred[9:20]])
    assert "20 nodes  change" in text
    assert "9 nodes: warning: kubelet has no login [kubelet-login-missing]\n  node001, node002, " in text
    assert text.count("kubelet has no login") == text.count("-> give it one") == 1
    assert text.index("+++") < text.index("9 nodes: warning")
    verbose = plain([*nodes, *two_hundred[9:20]], is_verbose=True)
    assert "9 nodes  change" in verbose
    assert "\n  warning: kubelet has no login" in verbose


def test_warnings_of_one_kind_with_other_words_are_folded_too(two_hundred: list[PlannedNode]) -> None:
    nodes = [warn(node, replace(OLD, message=f"{node.node.name} has no login")) for node in two_hundred[:9]]
    text = plain(nodes)
    assert "9 nodes  change" in text
    assert "9 nodes: warning [kubelet-login-missing]\n  node001: node001 has no login\n" in text
    assert "  and 6 more like these; -v shows all\n  -> give it one" in text
    assert all(f"node00{number} has no login" in plain(nodes, is_verbose=True) for number in range(1, 10))


def test_a_warning_of_few_nodes_stays_with_them(two_hundred: list[PlannedNode]) -> None:
    text = plain([warn(two_hundred[0], OLD), *two_hundred[1:20]])
    assert text.startswith("node001  change")
    assert text.index("warning: kubelet has no login") < text.index("19 nodes  change")


def test_the_last_line_counts_pull_secrets_too(two_hundred: list[PlannedNode]) -> None:
    secret = SecretPlan(
        namespace="shop",
        name="harbor-pull",
        outcome=Outcome.PENDING,
        action=SecretAction.CREATE,
        reason="it is missing",
    )
    report = SecretsReport(items=(SecretItem(registry="192.168.0.99", result=secret),))
    lines = plain(two_hundred[:1], report).splitlines()
    assert lines[-1] == "Plan: 1 to change (1 restart); pull secrets: 1 to change"
    assert sum("ull secrets:" in line for line in lines) == 1
