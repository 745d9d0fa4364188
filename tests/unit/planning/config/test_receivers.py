"""Receivers in settings and options: what is refused, and where a token may be."""

from __future__ import annotations

import pytest

from harbor_agent.engine.request.config_file import parse_yaml
from harbor_agent.errors import UsageError
from harbor_agent.model.policy import ReceiverKind, ReceiverSource
from harbor_agent.planning.config.receivers import find_kind, parse_notify_option
from harbor_agent.planning.config.schema import parse_settings

TOKEN = "canary-token-1234"
EXPOSED = [
    f"https://hooks.slack.com/services/{TOKEN}",
    f"https://open.feishu.cn/open-apis/bot/v2/hook/{TOKEN}",
    f"https://OAPI.dingtalk.com/robot/send?access_token={TOKEN}",
    f"https://ops.example/hook?token={TOKEN}",
    f"https://me:{TOKEN}@ops.example/hook",
]


def settings(text: str) -> tuple[ReceiverSource, ...]:
    return parse_settings(*parse_yaml(f"notify:\n{text}\n", "harbor-agent.yaml")).notify


@pytest.mark.parametrize("url", EXPOSED)
def test_a_url_with_a_token_is_refused_where_others_read_it(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_notify_option(url)
    assert (refused.value.problem.code, TOKEN in str(refused.value.problem)) == ("notify-url-exposed", False)
    with pytest.raises(UsageError, match=r"harbor-agent\.yaml:2: the URL ") as refused:
        settings(f"  - url: {url}")
    assert (refused.value.problem.code, TOKEN in str(refused.value.problem)) == ("notify-url-exposed", False)


def test_the_path_of_a_chat_holds_its_token_on_any_host() -> None:
    with pytest.raises(UsageError, match="the URL of slack holds a token"):
        settings("  - {url: 'https://chat.example/hooks/canary', kind: slack}")


@pytest.mark.parametrize("text", ["ops.example", "file:", "env:", "ftp://ops.example", "http://", "http://[::1", "-"])
def test_an_option_that_is_not_a_url_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--notify: expected a URL"):
        parse_notify_option(text)


def test_where_a_url_comes_from() -> None:
    assert parse_notify_option("https://ops.example/hook") == ReceiverSource(url="https://ops.example/hook")
    assert parse_notify_option("file:/etc/url") == ReceiverSource(url_file="/etc/url")
    assert parse_notify_option("env:HOOK") == ReceiverSource(url_env="HOOK")
    (one,) = settings("  - {url_file: /etc/url, kind: dingtalk, secret_env: SECRET}")
    assert one == ReceiverSource(url_file="/etc/url", kind=ReceiverKind.DINGTALK, secret_env="SECRET")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  - {kind: slack}", "a receiver needs exactly one URL"),
        ("  - {url_file: a, url_env: B}", "a receiver needs exactly one URL"),
        ("  - {url_file: a, secret_env: A, secret_file: b}", "more than one secret"),
        ("  - {url_file: a, kind: slack, secret_env: A}", "slack has no secret"),
        ("  - {url_file: a, kind: teams}", "invalid kind: 'teams'"),
        ("  - {url: ops.example}", "not a URL"),
        ("  - {urls: a}", "unknown key 'urls'"),
        ("  - https://ops.example", "expected a mapping"),
    ],
)
def test_settings_that_name_no_receiver_are_refused_with_their_line(text: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        settings(text)
    assert (refused.value.problem.code, words in str(refused.value)) == ("configuration-invalid", True)
    assert str(refused.value).startswith("harbor-agent.yaml:2: ")


def test_the_host_decides_what_a_receiver_understands() -> None:
    kinds = {find_kind(url) for url in EXPOSED[:3]}
    assert kinds == {ReceiverKind.SLACK, ReceiverKind.FEISHU, ReceiverKind.DINGTALK}
    assert find_kind("https://hooks.slack.com.ops.example/") is ReceiverKind.WEBHOOK
