"""The proof of a change by DNS itself: a server is asked before and after, until its answers are right."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harbor_agent.engine.dns.ask import ask
from harbor_agent.engine.dns.prove import STOPPED
from harbor_agent.errors import Problem
from harbor_agent.kubernetes.dns.services import list_service_addresses
from harbor_agent.model.dns import DnsEntry
from harbor_agent.model.result import Unanswered
from harbor_agent.planning.dns.proof.questions import list_questions
from harbor_agent.planning.dns.proof.verdict import Verdict, is_right, judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.engine.dns.ask import Askers
    from harbor_agent.engine.dns.prove import Patience
    from harbor_agent.engine.dns.report import DnsReport, ServerReport
    from harbor_agent.formats.dns_message import DnsAnswer
    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.kubernetes.dns.servers import DnsWorkload
    from harbor_agent.planning.dns.proof.questions import Question

_NOWHERE = Unanswered(
    reason="no address is known at which it could be asked from the nodes", hint="check clusterDNS of kubelet"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a server answered before its change. `unasked` says why questions are missing."""

    askers: Askers
    answers: Mapping[Question, DnsAnswer | Unanswered] = field(default_factory=dict)
    unasked: tuple[Unanswered, ...] = ()


def ask_before(
    askers: Askers, cluster: Cluster, report: DnsReport, server: ServerReport, workloads: Sequence[DnsWorkload]
) -> Baseline:
    """Ask a server from all nodes before its change."""
    services = list_service_addresses(cluster.client, workloads)
    unasked = [*askers.problems]
    if isinstance(services, Problem):
        unasked.append(Unanswered(reason=services.message, hint=services.hint))
        services = ()
    vantages = [
        replace(vantage, servers=tuple(dict.fromkeys((*vantage.servers, *services)))) for vantage in askers.vantages
    ]
    entries = [*report.present, *(DnsEntry(name=name, address="") for name in report.absent)]
    questions = list_questions(server.plan.server, [one.plan.server for one in report.servers], vantages, entries)
    if not questions and not unasked:
        unasked.append(_NOWHERE)
    return Baseline(askers=askers, answers=ask(askers, questions), unasked=tuple(unasked))


def ask_after(baseline: Baseline, *, seconds: float, patience: Patience) -> Verdict:
    """Ask the same again until every answer is right, at most for so many seconds: a cache may keep an older one."""
    deadline = time.monotonic() + seconds
    answers = ask(baseline.askers, baseline.answers) if baseline.answers else {}
    while True:
        if patience.stop():
            return Verdict(unasked=(STOPPED,))
        open_questions = [
            question
            for question, answer in answers.items()
            if not is_right(question, answer) and not _is_hopeless(answer)
        ]
        if not open_questions or time.monotonic() > deadline:
            break
        time.sleep(patience.interval)
        answers |= ask(baseline.askers, open_questions)
    verdict = judge(baseline.answers, answers)
    return Verdict(wrong=verdict.wrong, unasked=(*baseline.unasked, *verdict.unasked), proven=verdict.proven)


def _is_hopeless(answer: DnsAnswer | Unanswered) -> bool:
    """Whether another try will not help: the node forbids the call, or cannot be reached."""
    return isinstance(answer, Unanswered) and not answer.is_silent
