"""Exit codes: if there are several, 6, 1, 7, 5, 4, 3 in that order."""

from __future__ import annotations

import itertools

import pytest

from harbor_agent.engine.exit_codes import compute_run_exit_code, find_most_severe
from harbor_agent.errors import ExitCode
from harbor_agent.model.result import NodeResult, Outcome


@pytest.mark.parametrize(("first", "second"), list(itertools.pairwise([6, 1, 7, 5, 4, 3, 0])))
def test_the_order_of_the_contract(first: int, second: int) -> None:
    assert find_most_severe([ExitCode(second), ExitCode(first)]) == first


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.CHANGED, 0),
        (Outcome.UNCHANGED, 0),
        (Outcome.SKIPPED, 0),
        (Outcome.ROLLED_BACK, 1),
        (Outcome.UNKNOWN, 1),
        (Outcome.FAILED, 1),
        (Outcome.UNREACHABLE, 4),
        (Outcome.REFUSED, 5),
        (Outcome.ROLLBACK_FAILED, 6),
    ],
)
def test_an_outcome_has_its_code(outcome: Outcome, code: int) -> None:
    assert compute_run_exit_code([NodeResult(node="n", outcome=outcome)], None, halted=False) == code


def test_a_changed_node_whose_pull_failed_is_a_failure() -> None:
    assert (
        compute_run_exit_code([NodeResult(node="n", outcome=Outcome.CHANGED, verified=False)], None, halted=False) == 1
    )


def test_a_halted_run_has_its_code() -> None:
    assert compute_run_exit_code([NodeResult(node="n", outcome=Outcome.UNREACHABLE)], None, halted=True) == 7
