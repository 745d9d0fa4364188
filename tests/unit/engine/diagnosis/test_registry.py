"""What the registry says to this machine sharpens what a node was told, and tells the node from the network."""

from __future__ import annotations

import pytest

from harbor_agent.engine.diagnosis.registry import list_contrasts, list_registry_facts, sharpen
from harbor_agent.errors import Problem
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Registry
from harbor_agent.model.result import PullReport, PullVerdict
from harbor_agent.registry.anonymous.answer import AnonymousAnswer, Shown

REGISTRY = Registry(address=Address.parse("h.lan"))
IMAGE = "h.lan/shop/web:1"
DOWN = Problem(code="registry-unreachable", message="h.lan: connection refused", hint="start it")


def report(verdict: PullVerdict) -> PullReport:
    return PullReport(image=IMAGE, verdict=verdict, detail=f"{IMAGE}: not found")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("repository shop/web not found", "pull-repository-missing"),
        ("project shop not found", "pull-project-missing"),
        ("artifact shop/web:1 not found", "pull-not-found"),
        ("internal server error", "pull-not-found"),
        ("", "pull-not-found"),
    ],
)
def test_the_registry_says_which_part_of_a_name_is_missing(words: str, code: str) -> None:
    answer = AnonymousAnswer(scheme="http", shown=Shown.MISSING, words=words)
    assert sharpen(report(PullVerdict.NOT_FOUND), REGISTRY, answer).code == code
    assert sharpen(report(PullVerdict.NO_SPACE), REGISTRY, answer).code == "pull-no-space"


@pytest.mark.parametrize(
    ("words", "scheme", "code"),
    [
        ("dial tcp 192.0.2.1:443: connect: connection refused", "", "pull-unreachable"),
        ("dial tcp 192.0.2.1:443: connect: connection refused", "http", "pull-insecure-refused"),
        ("http: server gave HTTP response to HTTPS client", "", "pull-insecure-refused"),
    ],
)
def test_a_registry_that_answers_nowhere_is_not_said_to_speak_http(words: str, scheme: str, code: str) -> None:
    detail = f'Error response from daemon: Get "https://h.lan/v2/": {words}'
    pull = PullReport(image=IMAGE, verdict=PullVerdict.INSECURE_REFUSED, detail=detail)
    assert sharpen(pull, REGISTRY, AnonymousAnswer(scheme=scheme, problem=None if scheme else DOWN)).code == code


def test_a_node_that_is_not_served_is_compared_with_this_machine() -> None:
    here, nowhere = AnonymousAnswer(scheme="http"), AnonymousAnswer(problem=DOWN)
    unreached = report(PullVerdict.TIMEOUT)
    assert any("between the node and the registry" in fact for fact in list_contrasts(unreached, here))
    assert any("this machine either" in fact for fact in list_contrasts(unreached, nowhere))
    assert not list(list_contrasts(report(PullVerdict.NO_SPACE), here))
    served = AnonymousAnswer(scheme="http", shown=Shown.YES)
    assert any("asks another server" in fact for fact in list_contrasts(report(PullVerdict.UNAUTHORIZED), served))


def test_the_facts_name_the_scheme_and_the_registrys_words() -> None:
    answer = AnonymousAnswer(scheme="https", shown=Shown.REFUSED, words="The image is not signed in Cosign.")
    assert list(list_registry_facts(REGISTRY, IMAGE, answer)) == [
        "h.lan answers this machine by https, not by http",
        f"it does not serve {IMAGE}",
        "it says: The image is not signed in Cosign.",
    ]
    assert list(list_registry_facts(REGISTRY, IMAGE, AnonymousAnswer(problem=DOWN))) == [
        "asked from this machine: h.lan: connection refused"
    ]
