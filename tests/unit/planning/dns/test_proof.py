"""Which questions prove a change of DNS, and what their answers show."""

from __future__ import annotations

from harbor_agent.formats.dns_message import DnsAnswer
from harbor_agent.model.dns import ConfigMapState, DnsEntry, DnsServer, ServerKind
from harbor_agent.model.result import Unanswered
from harbor_agent.planning.dns.proof.questions import Question, Vantage, list_questions
from harbor_agent.planning.dns.proof.verdict import judge

ENTRY = DnsEntry(name="harbor.lan", address="192.168.0.99")
SERVICE, CACHE = "10.96.0.10", "169.254.25.10"
NODES = (Vantage(node="a", servers=(CACHE, SERVICE)), Vantage(node="b", servers=(SERVICE,)))
SILENT = Unanswered(reason="10.96.0.10 port 53/TCP does not answer: Connection refused", is_silent=True)
FORBIDDEN = Unanswered(reason="sshd of a does not allow forwarding (Administratively prohibited)", hint="allow it")


def server(kind: ServerKind, text: str) -> DnsServer:
    return DnsServer(kind=kind, config=ConfigMapState(namespace="kube-system", name="x", data={"Corefile": text}))


def ask_where(one: DnsServer, *cluster: DnsServer) -> list[str]:
    return [f"{question.node} {question.server}" for question in list_questions(one, cluster, NODES, [ENTRY])]


COREDNS = server(ServerKind.COREDNS, ".:53 {\n    forward . 9.9.9.9\n}\n")


def test_the_addresses_that_a_cache_binds_are_asked_after_the_change_of_the_cache() -> None:
    cache = server(ServerKind.NODE_CACHE, f".:53 {{\n    bind {CACHE}\n}}\n")
    assert ask_where(COREDNS, COREDNS) == [f"a {CACHE}", f"a {SERVICE}", f"b {SERVICE}"]
    assert ask_where(COREDNS, COREDNS, cache) == [f"a {SERVICE}", f"b {SERVICE}"]
    assert ask_where(cache, COREDNS, cache) == [f"a {CACHE}"]


def test_a_cache_with_the_address_of_the_service_hides_coredns() -> None:
    cache = server(ServerKind.NODE_CACHE, f".:53 {{\n    bind {CACHE} {SERVICE}\n}}\n")
    assert ask_where(COREDNS, COREDNS, cache) == []
    assert len(ask_where(cache, COREDNS, cache)) == 3


def test_a_cache_that_binds_an_interface_is_asked_last_with_everything() -> None:
    cache = server(ServerKind.NODE_CACHE, ".:53 {\n    bind nodelocaldns\n}\n")
    assert ask_where(COREDNS, COREDNS, cache) == []
    assert len(ask_where(cache, COREDNS, cache)) == 3


def test_a_removal_takes_any_answer_and_an_address_that_of_its_family() -> None:
    six, gone = DnsEntry(name="six.lan", address="FD99::0:1"), DnsEntry(name="gone.lan", address="")
    first, second = list_questions(COREDNS, [COREDNS], NODES[1:], [six, gone])
    assert (first.expected, first.version) == ("fd99::1", 6)
    assert (second.expected, second.version) == ("", 4)


ASKED = Question(node="a", server=SERVICE, name="harbor.lan", expected="192.168.0.99")
OTHER = Question(node="b", server=SERVICE, name="harbor.lan", expected="192.168.0.99")
RIGHT = DnsAnswer(code="NOERROR", addresses=frozenset({"192.168.0.99"}))
NONE = DnsAnswer(code="NXDOMAIN", addresses=frozenset())


def test_right_answers_are_counted() -> None:
    verdict = judge({ASKED: NONE, OTHER: NONE}, {ASKED: RIGHT, OTHER: RIGHT})
    assert (verdict.wrong, verdict.unasked) == (None, ())
    assert verdict.proven == "2 nodes got the right answer from 10.96.0.10"


def test_a_wrong_answer_is_one_without_the_address_or_with_another_one_too() -> None:
    both = DnsAnswer(code="NOERROR", addresses=frozenset({"192.168.0.99", "10.0.0.1"}))
    for answer, text in ((NONE, "NXDOMAIN"), (both, "10.0.0.1, 192.168.0.99")):
        wrong = judge({}, {ASKED: answer, OTHER: RIGHT}).wrong
        assert wrong
        assert wrong.code == "dns-answer-wrong"
        assert wrong.message == f"a: 10.96.0.10 answers harbor.lan with {text}, not 192.168.0.99"


def test_a_server_that_answered_before_and_is_silent_now_has_failed() -> None:
    wrong = judge({ASKED: NONE}, {ASKED: SILENT}).wrong
    assert wrong
    assert wrong.message.endswith("Connection refused; it answered before the change")


def test_what_could_not_be_asked_is_unknown_and_never_wrong() -> None:
    verdict = judge({ASKED: SILENT, OTHER: NONE}, {ASKED: SILENT, OTHER: FORBIDDEN})
    assert (verdict.wrong, verdict.proven) == (None, "")
    assert verdict.unasked == (SILENT, FORBIDDEN)


def test_after_a_removal_an_answer_without_the_address_is_right() -> None:
    removed = Question(node="a", server=SERVICE, name="harbor.lan")
    assert judge({removed: RIGHT}, {removed: NONE}).proven == "1 node got an answer from 10.96.0.10"
