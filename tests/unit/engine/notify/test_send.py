"""A message is posted to a real server once, or twice, and its URL is never quoted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.notify.message import Message, Receiver
from harbor_agent.engine.notify.receivers import list_sources, open_receiver
from harbor_agent.engine.notify.send import send
from harbor_agent.errors import Problem
from harbor_agent.model.policy import ReceiverKind, ReceiverSource
from harbor_agent.model.sensitive import Sensitive
from tests.cluster.answering import free_port, silent
from tests.lab.certificates import Authority
from tests.unit.cli.receiver import receiving, write_private

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "canary-token-1234"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def post(url: str, kind: ReceiverKind = ReceiverKind.WEBHOOK, timeout: float = 5.0) -> Problem | None:
    receiver = Receiver(kind=kind, url=Sensitive(f"{url}/hook/{TOKEN}"))
    return send(receiver, lambda one, now: Message(url=one.url, body=f'{{"now": {int(now)}}}'.encode()), timeout)


@pytest.mark.parametrize(
    ("status", "reply", "kind", "attempts", "words"),
    [
        (204, "", ReceiverKind.WEBHOOK, 1, ""),
        (200, '{"code":0}', ReceiverKind.FEISHU, 1, ""),
        (500, "", ReceiverKind.WEBHOOK, 2, "answered with status 500"),
        (503, "later", ReceiverKind.SLACK, 2, "answered with status 503: later"),
        (404, f"no service {TOKEN}", ReceiverKind.SLACK, 1, "answered with status 404: no service ***"),
        (302, "", ReceiverKind.SLACK, 1, "answered with status 302"),
        (200, '{"code":19021,"msg":"sign match fail"}', ReceiverKind.FEISHU, 1, "sign match fail (code 19021)"),
        (200, "<html>", ReceiverKind.DINGTALK, 1, "its answer is not JSON"),
    ],
)
def test_what_an_answer_means(status: int, reply: str, kind: ReceiverKind, attempts: int, words: str) -> None:
    with receiving() as other, receiving(status=status, reply=reply, redirect=other.url) as receiver:
        problem = post(receiver.url, kind)
    assert (len(receiver.posted), other.posted) == (attempts, [])
    assert bool(problem) == bool(words)
    if problem:
        assert (problem.code, words in problem.message) == ("notify-failed", True), problem
        assert TOKEN not in str(problem)


def test_a_server_that_is_not_there_is_named_without_its_path() -> None:
    problem = post(f"http://127.0.0.1:{(port := free_port())}")
    assert problem
    assert problem.message == f"no notification was sent: nothing listens at http://127.0.0.1:{port}"


def test_a_server_that_says_nothing_ends_the_wait() -> None:
    with silent() as port:
        problem = post(f"http://127.0.0.1:{port}", timeout=0.2)
    assert problem
    assert problem.message.endswith(f"http://127.0.0.1:{port} did not answer within 0.2 s")


def test_a_certificate_that_is_not_trusted_gets_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    with receiving(tls=authority.issue(["127.0.0.1"]).serve_from(tmp_path / "tls")) as receiver:
        problem = post(receiver.url)
        assert problem
        assert ("is not trusted" in problem.message, receiver.posted) == (True, [])
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert (post(receiver.url), len(receiver.posted)) == (None, 1)


def test_a_message_goes_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert post("http://ops.invalid") is None
    assert [posted.path for posted in proxy.posted] == [f"http://ops.invalid/hook/{TOKEN}"]


def test_urls_and_secrets_come_from_files_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_private(tmp_path / "url", f"https://open.feishu.cn/hook/{TOKEN}\n")
    monkeypatch.setenv("SECRET", "SECcanary")
    receiver = open_receiver(ReceiverSource(url_file=str(file), secret_env="SECRET"))
    assert isinstance(receiver, Receiver)
    assert (receiver.kind, receiver.url.reveal()[-4:], receiver.secret) == ("feishu", "1234", Sensitive("SECcanary"))
    (source,) = list_sources(f"file:{file}", None)
    assert isinstance(open_receiver(source), Receiver)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (ReceiverSource(url_env="NOT_SET"), "$NOT_SET is not set"),
        (ReceiverSource(url_file="gone"), "cannot read gone: no such file"),
        (ReceiverSource(url_file="empty"), "empty is empty"),
        (ReceiverSource(url_file="text"), "text has no URL that begins with http:// or https://"),
        (ReceiverSource(url="https://ops.example", secret_file="gone"), "its secret is missing"),
    ],
)
def test_a_url_that_cannot_be_read_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: ReceiverSource, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_private(tmp_path / "empty", "\n")
    write_private(tmp_path / "text", f"canary {TOKEN}\n")
    problem = open_receiver(source)
    assert isinstance(problem, Problem)
    assert (problem.code, words in problem.message, TOKEN in str(problem)) == ("notify-failed", True, False)
