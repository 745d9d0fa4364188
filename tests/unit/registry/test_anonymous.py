"""What a registry says without a login: by which scheme it answers, and what it shows of an image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.address import Address
from harbor_agent.registry.anonymous.answer import Shown
from harbor_agent.registry.anonymous.ask import ask_anonymously
from tests.cluster.answering import Reply, answering

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.registry.anonymous.answer import AnonymousAnswer

MANIFEST = "/v2/shop/web/manifests/1"
OPEN = Reply(headers={"Docker-Distribution-Api-Version": "registry/2.0"})
BEARER = Reply(
    status=401,
    headers={"WWW-Authenticate": 'Bearer realm="http://127.0.0.1:{port}/service/token",service="harbor-registry"'},
)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def refuse(status: int, message: str) -> Reply:
    return Reply(status=status, body=json.dumps({"errors": [{"code": "X", "message": message}]}).encode())


def ask(replies: Mapping[str, Reply], scheme: str = "http") -> tuple[AnonymousAnswer, list[tuple[str, str | None]]]:
    with answering(replies) as server:
        answer = ask_anonymously(Address(host="127.0.0.1", port=server.port, scheme=scheme), "shop/web", "1")
    return answer, server.requests


@pytest.mark.parametrize(
    ("reply", "shown", "words"),
    [
        (Reply(body=b"{}"), Shown.YES, ""),
        (refuse(404, "repository shop/web not found"), Shown.MISSING, "repository shop/web not found"),
        (refuse(401, "unauthorized to access repository"), Shown.WITHHELD, "unauthorized to access repository"),
        (refuse(412, "current image with 4 vulnerabilities"), Shown.REFUSED, "current image with 4 vulnerabilities"),
    ],
)
def test_what_it_shows_of_an_image(reply: Reply, shown: Shown, words: str) -> None:
    answer, _ = ask({"/v2/": OPEN, MANIFEST: reply})
    assert (answer.scheme, answer.shown, answer.words, answer.problem) == ("http", shown, words, None)


def test_a_token_is_requested_without_a_login_and_sent_with_the_question() -> None:
    token = Reply(body=b'{"token": "anonymous"}')
    answer, requests = ask({"/v2/": BEARER, "/service/token": token, MANIFEST: Reply(body=b"{}")})
    assert answer.shown is Shown.YES
    assert [path.partition("?")[0] for path, _ in requests] == ["/v2/", "/service/token", MANIFEST]
    assert [authorization for _, authorization in requests] == [None, None, "Bearer anonymous"]
    assert "scope=repository%3Ashop%2Fweb%3Apull" in requests[1][0]


def test_a_token_service_that_fails_is_the_answer() -> None:
    answer, _ = ask({"/v2/": BEARER, "/service/token": Reply(status=502), MANIFEST: Reply(status=401)})
    assert answer.problem is not None
    assert (answer.scheme, answer.shown, answer.problem.code) == ("http", Shown.UNKNOWN, "registry-server-error")


def test_another_scheme_than_that_of_the_settings_is_found() -> None:
    answer, _ = ask({"/v2/": OPEN, MANIFEST: Reply(body=b"{}")}, scheme="https")
    assert (answer.scheme, answer.shown) == ("http", Shown.YES)


def test_what_is_no_registry_or_does_not_answer_says_nothing_about_the_image() -> None:
    answer, _ = ask({"/v2/": Reply(body=b"<html>hello</html>")})
    assert answer.problem is not None
    assert (answer.scheme, answer.shown, answer.problem.code) == ("", Shown.UNKNOWN, "registry-not-a-registry")
    silent = ask_anonymously(Address(host="127.0.0.1", port=1), "shop/web", "1")
    assert silent.problem is not None
    assert (silent.scheme, silent.problem.code) == ("", "registry-refused")
