"""What the answers to the questions about a DNS server show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harbor_agent.errors import Problem
from harbor_agent.model.result import Unanswered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.formats.dns_message import DnsAnswer
    from harbor_agent.planning.dns.proof.questions import Question

    Answers = Mapping[Question, DnsAnswer | Unanswered]

_MOST_NAMES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`wrong`: a server gives another answer, or none any more. `unasked`: why questions have no answer.

    `proven` describes the right answers, "" without any.
    """

    wrong: Problem | None = None
    unasked: tuple[Unanswered, ...] = ()
    proven: str = ""


def is_right(question: Question, answer: DnsAnswer | Unanswered) -> bool:
    """Whether the answer has the expected address and no other; any answer counts if none is expected."""
    if isinstance(answer, Unanswered):
        return False
    return not question.expected or answer.addresses == {question.expected}


def is_wrong(question: Question, answer: DnsAnswer | Unanswered, before: DnsAnswer | Unanswered | None) -> bool:
    """Whether the server does not work as planned: another answer, or none from one that answered before."""
    if isinstance(answer, Unanswered):
        return answer.is_silent and before is not None and not isinstance(before, Unanswered)
    return not is_right(question, answer)


def judge(before: Answers, after: Answers) -> Verdict:
    """Judge the answers after a change by those before it."""
    wrong = [question for question, answer in after.items() if is_wrong(question, answer, before.get(question))]
    if wrong:
        return Verdict(wrong=_describe_wrong(wrong, after))
    right = [question for question, answer in after.items() if is_right(question, answer)]
    missing = {answer.reason: answer for answer in after.values() if isinstance(answer, Unanswered)}
    return Verdict(unasked=tuple(missing.values()), proven=_describe_right(right))


def _describe_wrong(wrong: Sequence[Question], after: Answers) -> Problem:
    parts = [_describe_answer(question, after[question]) for question in wrong[:_MOST_NAMES]]
    more = f"; and {len(wrong) - _MOST_NAMES} more" if len(wrong) > _MOST_NAMES else ""
    first = wrong[0]
    return Problem(
        code="dns-answer-wrong",
        message="; ".join(parts) + more,
        hint=f"ask on {first.node}: dig +tcp @{first.server} {first.name}; read the log of the DNS pods",
    )


def _describe_answer(question: Question, answer: DnsAnswer | Unanswered) -> str:
    if isinstance(answer, Unanswered):
        return f"{answer.reason}; it answered before the change"
    expected = f", not {question.expected}" if question.expected else ""
    return f"{question.node}: {question.server} answers {question.name} with {answer}{expected}"


def _describe_right(right: Sequence[Question]) -> str:
    if not right:
        return ""
    nodes = {question.node for question in right}
    servers = ", ".join(sorted({question.server for question in right}))
    count = f"{len(nodes)} node{'s' if len(nodes) > 1 else ''}"
    what = "the right answer" if any(question.expected for question in right) else "an answer"
    return f"{count} got {what} from {servers}"
