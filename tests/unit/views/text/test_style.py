"""Colors, and the codes of the problems that are printed."""

from __future__ import annotations

from harbor_agent.errors import Problem
from harbor_agent.model.result import Outcome
from harbor_agent.views.text.style import find_problem_codes, render_problem, style_diff, style_outcome


def test_the_codes_of_rendered_problems_are_found_in_order_and_nothing_else_is() -> None:
    first = Problem(code="ssh-timeout", message="node7 does not answer", hint="one\n\ntwo")
    second = Problem(code="not-confirmed", message="[no-code] is quoted", hint="")
    text = "\n".join([*render_problem(first), "plain [text]", *render_problem(second)])
    assert find_problem_codes(text) == ["ssh-timeout", "not-confirmed"]


def test_a_hint_of_several_lines_is_a_block_to_copy() -> None:
    lines = render_problem(Problem(code="x", message="m", hint="first\n\nthird"))
    assert lines[1:] == ["  -> first", "", "     third"]


def test_a_diff_is_colored_by_line_and_its_file_names_are_bold() -> None:
    diff = style_diff("--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n same")
    assert diff.splitlines() == [
        "\x1b[1m--- a\x1b[0m",
        "\x1b[1m+++ b\x1b[0m",
        "\x1b[36m@@ -1 +1 @@\x1b[0m",
        "\x1b[31m-old\x1b[0m",
        "\x1b[32m+new\x1b[0m",
        " same",
    ]


def test_an_outcome_is_red_unless_it_is_fine_or_pending() -> None:
    assert style_outcome(Outcome.ROLLED_BACK) == "\x1b[31m\x1b[1mrolled back\x1b[0m"
    assert style_outcome(Outcome.CHANGED) == "\x1b[32m\x1b[1mchanged\x1b[0m"
