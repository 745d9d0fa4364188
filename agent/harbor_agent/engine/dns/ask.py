"""Asks DNS from nodes: over TCP through their SSH connections, so that no tool and no pod is needed there."""

from __future__ import annotations

import secrets as randomness
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.dns_message import DnsMessageError, build_question, is_complete, parse_answer
from harbor_agent.model.result import Unanswered
from harbor_agent.node.wire import programs as wire
from harbor_agent.planning.dns.proof.questions import Vantage
from harbor_agent.transport.calls import Call, Caller, CallJob
from harbor_agent.transport.protocol import Job, decode_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harbor_agent.formats.dns_message import DnsAnswer
    from harbor_agent.model.inventory import Node
    from harbor_agent.planning.dns.proof.questions import Question
    from harbor_agent.transport.protocol import Transport

_PORT = 53
_TIMEOUT = 30.0
_IDENTITIES = 1 << 16


_NO_CALLS = Unanswered(
    reason="DNS was not asked from the nodes, because Ansible's connections carry no other ones",
    hint="run it with --transport ssh",
)
_NO_KUBELET = Unanswered(
    reason="DNS was not asked, because no node of the inventory runs kubelet",
    hint="check that the inventory is that of this cluster",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Askers:
    """The nodes from which DNS can be asked, and why others cannot: they are lost, or not connected by SSH.

    `nameservers` are those of all their resolv.conf, None if one is not known.
    """

    caller: Caller | None = None
    nodes: Mapping[str, Node]
    vantages: tuple[Vantage, ...] = ()
    problems: tuple[Unanswered, ...] = ()
    nameservers: tuple[str, ...] | None = None


def find_askers(transport: Transport, nodes: Sequence[Node]) -> Askers:
    """Ask each node which DNS servers its kubelet gives to pods; nodes without kubelet are left out."""
    named = {node.name: node for node in nodes}
    if not isinstance(transport, Caller):
        return Askers(nodes=named, problems=(_NO_CALLS,))
    program = wire.build_cluster_dns_program()
    vantages: list[Vantage] = []
    problems: list[Unanswered] = []
    nameservers: list[tuple[str, ...]] = []
    for result in transport.run([Job(node=node, program=program, timeout=_TIMEOUT) for node in nodes]):
        found = decode_answer(result, wire.decode_cluster_dns)
        if isinstance(found, Problem):
            problems.append(Unanswered(reason=_add_node(result.job.node.name, found.message), hint=found.hint))
        elif found is not None:
            vantages.append(Vantage(node=result.job.node.name, servers=found.servers))
            nameservers.append(found.nameservers)
    if not vantages and not problems:
        problems.append(_NO_KUBELET)
    order = list(named)
    vantages.sort(key=lambda vantage: order.index(vantage.node))
    is_known = all(nameservers) and not problems
    return Askers(
        caller=transport,
        nodes=named,
        vantages=tuple(vantages),
        problems=tuple(problems),
        nameservers=tuple(dict.fromkeys(one for found in nameservers for one in found)) if is_known else None,
    )


def ask(askers: Askers, questions: Iterable[Question]) -> dict[Question, DnsAnswer | Unanswered]:
    """Ask every question from its node, all nodes at once; the answers come in the order of the questions."""
    by_node: dict[str, list[Question]] = {}
    for question in questions:
        by_node.setdefault(question.node, []).append(question)
    identity = randomness.randbelow(_IDENTITIES)
    jobs = [
        CallJob(node=askers.nodes[name], calls=tuple(_build_call(question, identity) for question in its))
        for name, its in by_node.items()
    ]
    answers: dict[Question, DnsAnswer | Unanswered] = {}
    for called in askers.caller.call(jobs) if askers.caller else ():
        for question, answer in zip(by_node[called.job.node.name], called.answers, strict=True):
            answers[question] = _read_answer(question, answer, identity)
    return {question: answers[question] for its in by_node.values() for question in its}


def _build_call(question: Question, identity: int) -> Call:
    content = build_question(question.name, question.version, identity)
    return Call(address=question.server, port=_PORT, content=content, is_complete=is_complete)


def _read_answer(question: Question, answer: bytes | Unanswered, identity: int) -> DnsAnswer | Unanswered:
    if isinstance(answer, Unanswered):
        return replace(answer, reason=_add_node(question.node, answer.reason)) if answer.is_silent else answer
    try:
        return parse_answer(answer, identity)
    except DnsMessageError as error:
        return Unanswered(
            reason=f"{question.node}: {question.server} port {_PORT}/TCP does not answer as a DNS server: {error}",
            is_silent=True,
        )


def _add_node(name: str, text: str) -> str:
    return text if text.startswith(name) else f"{name}: {text}"
