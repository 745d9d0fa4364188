"""Runs of drift for tests of their metrics, and the samples of a file by name and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
from harbor_agent.engine.drift.metrics.summary import DriftRunSummary
from harbor_agent.engine.plan.nodes import PlannedNode
from harbor_agent.engine.reports.report import Report
from harbor_agent.engine.request.request import RunRequest
from harbor_agent.errors import ExitCode
from harbor_agent.model.inventory import Node
from harbor_agent.model.policy import Policy
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.model.runs import Quarantine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.planning.drift import DriftStatus


POLICY = Policy(registries=())
NASTY = 'a\\b"c\nd\udcff}'
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def drifted(name: str, status: DriftStatus, *, is_quarantined: bool = False) -> DriftedNode:
    planned = PlannedNode(node=Node(name=name, address=name), policy=POLICY, outcome=Outcome.PENDING)
    since = "2026-11-24T06:09:06+00:00"
    quarantine = Quarantine(node=name, since=since, path="/x", reason="again") if is_quarantined else None
    return DriftedNode(planned=planned, status=status, reason="", quarantine=quarantine)


def report(*nodes: DriftedNode) -> DriftReport:
    return DriftReport(request=RunRequest(), general=POLICY, nodes=nodes)


def corrected(outcomes: Mapping[str, Outcome]) -> Report:
    results = tuple(NodeResult(node=node, outcome=outcome) for node, outcome in outcomes.items())
    return Report(run_id="run", results=results, secrets=None, halted=None, exit_code=ExitCode.DONE)


def measured(code: int = 0, ended_at: float = 1000.0, **more: object) -> DriftRunSummary:
    return DriftRunSummary(exit_code=code, ended_at=ended_at, seconds=1.5, **more)  # type: ignore[arg-type]


def series(text: str) -> Series:
    """Every sample by name and labels; none is there twice, none has a time, and every family is described."""
    found: Series = {}
    for family in text_string_to_metric_families(text):
        assert (family.type, bool(family.documentation)) == ("gauge", True), family
        for sample in family.samples:
            key = (sample.name.removeprefix("harbor_agent_"), frozenset(sample.labels.items()))
            assert key not in found
            assert sample.timestamp is None
            found[key] = sample.value
    return found


def value(found: Series, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset({"fleet": "site", **labels}.items())))
