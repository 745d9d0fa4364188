"""The text of a run's result: what failed where, and a summary that claims no more than was proven."""

from __future__ import annotations

import re
from dataclasses import replace

from harbor_agent.engine.reports.report import VERIFY, Report
from harbor_agent.errors import ExitCode, Problem
from harbor_agent.model.result import NodeResult, Outcome, Proof
from harbor_agent.views.text.run import failures_text, run_summary

MISSING = Problem(code="not-configured", message="not configured: h.lan is missing", hint="harbor-agent plan shows it")
DOWN = Problem(code="pull-unreachable", message="pulling h.lan/p failed: no route to host")


def report(*results: NodeResult) -> Report:
    return Report(run_id="run-1", results=results, secrets=None, halted=None, exit_code=ExitCode.DONE)


def test_every_failing_node_is_named_with_its_reason() -> None:
    names = [f"node{number}" for number in range(1, 13)]
    failing = [NodeResult(node=name, outcome=Outcome.FAILED, problem=MISSING) for name in names]
    pulled = NodeResult(node="node13", outcome=Outcome.CHANGED, verified=False, problem=DOWN)
    fine = NodeResult(node="node14", outcome=Outcome.UNCHANGED, verified=True, proof=Proof.PULL)
    text = re.sub(r"\x1b\[[0-9]*m", "", failures_text([*failing, pulled, fine]))
    assert text.splitlines() == [
        f"{', '.join(names)}  failed",
        "  not configured: h.lan is missing [not-configured]",
        "  -> harbor-agent plan shows it",
        "node13  changed, pull failed",
        "  pulling h.lan/p failed: no route to host [pull-unreachable]",
    ]
    assert failures_text([fine]) == ""


def test_a_change_without_a_pull_is_not_called_proven() -> None:
    proven = NodeResult(node="node1", outcome=Outcome.CHANGED, verified=True, proof=Proof.PULL)
    unproven = NodeResult(node="node2", outcome=Outcome.CHANGED)
    assert run_summary(report(proven, unproven)) == (
        "Done: 2 changed, 1 verified by a pull, 1 not proven by a pull (run run-1)"
    )


def test_a_proof_by_pods_is_called_so() -> None:
    proven = NodeResult(node="node1", outcome=Outcome.UNCHANGED, verified=True, proof=Proof.POD)
    failed = NodeResult(node="node2", outcome=Outcome.FAILED, verified=False, proof=Proof.POD, problem=DOWN)
    assert run_summary(report(proven, failed)) == "Done: 1 unchanged, 1 failed, 1 proven by a pod (run run-1)"
    assert "failed, not proven by a pod" in re.sub(r"\x1b\[[0-9]*m", "", failures_text([failed]))


def test_a_verification_names_no_run_because_the_history_has_none() -> None:
    proven = NodeResult(node="node1", outcome=Outcome.UNCHANGED, verified=True, proof=Proof.PULL)
    assert run_summary(replace(report(proven), kind=VERIFY)) == "Done: 1 unchanged, 1 verified by a pull"
