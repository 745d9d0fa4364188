"""`secret validate` tells a login that is right from one that was not requested, and explains a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.answering import Reply, answering, free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.answering import Answering
    from tests.unit.cli.conftest import Ran, Runner

OPEN = Reply(headers={"Docker-Distribution-Api-Version": "registry/2.0"}, body=b"{}")
LOGIN = "Basic dTpjYW5hcnk="  # u:canary


def demand(_: str, authorization: str | None) -> Reply:
    return OPEN if authorization == LOGIN else Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})


def bearer(realm: str) -> Reply:
    challenge = f'Bearer realm="{realm}",service="harbor-registry"'
    return Reply(status=401, headers={"WWW-Authenticate": challenge})


def validate(run: Runner, server: Answering, *arguments: str, password: str = "canary\n", **variables: str) -> Ran:
    login = ("--registry", f"127.0.0.1:{server.port}", "--username", "u", "--password-stdin")
    ran = run("secret", "validate", *login, *arguments, stdin=password, **variables)
    assert "canary" not in ran.out + ran.err
    return ran


def test_a_right_login(run: Runner) -> None:
    with answering({"/v2/": demand}) as server:
        ran = validate(run, server)
    assert (ran.rc, ran.out, ran.err) == (0, "Login: valid\n", "")


def test_a_wrong_login(run: Runner) -> None:
    with answering({"/v2/": demand}) as server:
        ran = validate(run, server, password="other\n")
    assert (ran.rc, ran.out) == (1, "")
    assert "[registry-credentials-wrong]" in ran.err


@pytest.mark.field("c14")
def test_a_login_that_was_not_requested(run: Runner) -> None:
    with answering({"/v2/": OPEN}) as server:
        ran = validate(run, server)
    assert ran.rc == 3
    assert ran.out == f"Login: not verified, because it was not requested by 127.0.0.1:{server.port}\n"
    assert "[registry-open]" in ran.err


@pytest.mark.field("c13")
def test_a_realm_without_the_node_port_is_explained(run: Runner) -> None:
    with answering({"/v2/": bearer(f"http://127.0.0.1:{free_port()}/service/token")}) as server:
        ran = validate(run, server)
    assert ran.rc == 1
    assert ran.err.index("[registry-realm-elsewhere]") < ran.err.index("[registry-refused]")
    assert "set hostname, port and external_url" in ran.err


@pytest.mark.field("c13")
def test_a_database_that_is_down_is_explained(run: Runner) -> None:
    health = Reply(body=b'{"status":"unhealthy","components":[{"name":"database","status":"unhealthy"}]}')
    replies = {
        "/v2/": bearer("http://127.0.0.1:{port}/token"),
        "/token": Reply(status=500),
        "/api/v2.0/health": health,
    }
    with answering(replies) as server:
        ran = validate(run, server)
    assert ran.rc == 1
    assert ran.err.index("unhealthy: database") < ran.err.index("[registry-server-error]")


@pytest.mark.field("c13")
def test_notes_of_registries_asked_before_are_shown(run: Runner, tmp_path: Path) -> None:
    with answering({"/v2/": OPEN}) as first, answering({"/v2/": demand}) as second:
        entry = "  - address: 127.0.0.1:{}\n    credentials: {{username: u, password_env: PW}}\n"
        text = "registries:\n" + "".join(entry.format(port) for port in (first.port, second.port))
        (tmp_path / "harbor-agent.yaml").write_text(text)
        ran = run("secret", "validate", PW="wrong")
    assert ran.rc == 1
    assert ran.err.index("[registry-open]") < ran.err.index("[registry-credentials-wrong]")


@pytest.mark.field("c16")
class TestPasswords:
    def test_a_byte_order_mark(self, run: Runner) -> None:
        with answering({"/v2/": demand}) as server:
            ran = validate(run, server, password="\ufeffcanary\r\n")
        assert (ran.rc, ran.out) == (0, "Login: valid\n")
        assert "standard input begins with a byte order mark" in ran.err

    def test_a_byte_order_mark_in_a_locale_without_utf8(self, run: Runner) -> None:
        with answering({"/v2/": demand}) as server:
            ran = validate(
                run, server, password="\ufeffcanary\r\n", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"
            )
        assert (ran.rc, ran.out) == (0, "Login: valid\n")

    @pytest.mark.parametrize(
        ("password", "words"),
        [
            ("canary\n\n", "standard input ends with a line end"),
            (" canary\n", "standard input begins with a blank"),
            ("'canary'\n", "standard input is in quotes"),
        ],
    )
    def test_a_rejected_password_of_an_unusual_form(self, run: Runner, password: str, words: str) -> None:
        with answering({"/v2/": demand}) as server:
            ran = validate(run, server, password=password)
        assert ran.rc == 1
        assert words in ran.err

    def test_one_that_nothing_verified(self, run: Runner) -> None:
        with answering({"/v2/": OPEN}) as server:
            ran = validate(run, server, password="canary\n\n")
        assert ran.rc == 3
        assert "ends with a line end, and the registry has not verified it" in ran.err


@pytest.mark.field("c21")
def test_the_time_for_an_answer_is_a_setting(run: Runner, tmp_path: Path) -> None:
    token = Reply(body=b'{"token": "t"}', delay=30)
    with answering({"/v2/": bearer("http://127.0.0.1:{port}/token"), "/token": token}) as server:
        registry = f"127.0.0.1:{server.port}"
        (tmp_path / "harbor-agent.yaml").write_text(f"registries: [{{address: '{registry}', answer_timeout: 1}}]\n")
        ran = validate(run, server)
    assert ran.rc == 1
    assert "did not answer within 1 s, although the registry itself answers" in ran.err
    assert "answer_timeout" in ran.err
