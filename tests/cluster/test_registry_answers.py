"""A registry's reasons are shown, and each answer is named for what it is."""

from __future__ import annotations

import time

import pytest

from harbor_agent.model.address import Address
from harbor_agent.registry.http import Connection
from harbor_agent.registry.validate import validate
from tests.cluster.answering import Reply, raw
from tests.cluster.registry_answers import LOGIN, TOKEN, ask, ask_first, ask_harbor, by_token, errors

PAGE = b"<!DOCTYPE html><html><head><title>Request blocked</title></head><body>ID 5</body></html>"


@pytest.mark.field("c11")
class TestPolicies:
    def test_harbors_sentence_is_shown_and_the_login_is_not_blamed(self) -> None:
        problem = ask_harbor(Reply(status=412, body=errors("3 findings of severity High", "PROJECTPOLICYVIOLATION")))
        assert problem.code == "registry-policy-refused"
        assert "(HTTP 412): 3 findings of severity High; the login is valid" in problem.message

    @pytest.mark.parametrize(
        "reason", ["image is not signed by cosign", "blocked by policy", "current image not scanned"]
    )
    def test_a_policy_may_be_a_403(self, reason: str) -> None:
        assert ask_harbor(Reply(status=403, body=errors(reason))).code == "registry-policy-refused"

    def test_a_403_without_a_policy_is_the_accounts(self) -> None:
        problem = ask_harbor(Reply(status=403, body=errors("requested access to the resource is denied")))
        assert problem.code == "registry-pull-denied"
        assert problem.message.endswith("(HTTP 403): requested access to the resource is denied")

    def test_a_login_of_the_wrong_form(self) -> None:
        basic = Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})
        malformed = Reply(status=400, body=b'{"message":"malformed token canary"}')
        replies = {"/v2/": lambda _, authorization: malformed if authorization else basic}
        problem = ask(replies).problem
        assert problem
        assert problem.code == "registry-login-malformed"
        assert problem.message.endswith("the login of 'u' (HTTP 400): malformed token ***")

    @pytest.mark.parametrize("status", [400, 405, 501])
    def test_a_registry_that_knows_no_head_is_asked_by_get(self, status: int) -> None:
        replies = {
            "/v2/": by_token(Reply(body=b"{}")),
            "/token": TOKEN,
            "/v2/a/b/manifests/1": lambda method, _: Reply(status=status if method == "HEAD" else 200),
        }
        validation = ask(replies, "a/b:1")
        assert (validation.problem, validation.is_proven) == (None, True)

    @pytest.mark.parametrize("status", [400, 405, 410, 422])
    def test_any_other_answer_of_a_known_registry_is_a_refusal(self, status: int) -> None:
        problem = ask_harbor(Reply(status=status, body=errors("not today")))
        assert problem.code == "registry-request-refused"
        assert f"/v2/library/pause/manifests/3.9 (HTTP {status}): not today; the login is valid" in problem.message


class TestFrontEnds:
    @pytest.mark.parametrize("status", [403, 406])
    def test_a_firewall_is_named_with_its_title(self, status: int) -> None:
        for problem in (ask_first(Reply(status=status, body=PAGE)), ask_harbor(Reply(status=status, body=PAGE))):
            assert problem.code == "registry-request-refused"
            assert "a firewall or proxy in front of http://127.0.0.1" in problem.message
            assert problem.message.endswith(f"(HTTP {status}): Request blocked")

    @pytest.mark.parametrize(
        "location", ["https://sso.example.com/x?state=canary", "/oauth2/start?rd=/v2/", "/login", "/adfs/ls/?SAML=1"]
    )
    def test_single_sign_on_is_named(self, location: str) -> None:
        problem = ask_first(Reply(status=302, headers={"Location": location}))
        assert problem.code == "registry-redirects"
        assert "to a login page at http" in problem.message
        assert "canary" not in problem.message

    def test_a_login_page_in_place_of_the_registry(self) -> None:
        problem = ask_first(Reply(body=b"<html><title>Sign in &amp; go</title></html>"))
        assert problem.code == "registry-not-a-registry"
        assert problem.message.endswith("HTTP 200, a web page: Sign in & go")
        assert "single sign-on" in problem.hint

    def test_read_only_mode(self) -> None:
        reason = "The system is in read only mode. Any modification is prohibited."
        problem = ask_harbor(Reply(status=403, body=errors(reason)))
        assert (problem.code, reason[:-1] in problem.message) == ("registry-server-error", True)
        problem = ask_first(Reply(status=503, headers={"Retry-After": "900"}, body=errors(reason)))
        assert problem.code == "registry-server-error"
        assert "is in read-only mode (HTTP 503)" in problem.message

    def test_a_server_errors_reason_is_shown(self) -> None:
        problem = ask_first(Reply(status=500, body=errors("failed to connect to database")))
        assert problem.message.endswith("a server error (HTTP 500): failed to connect to database")


class TestRetries:
    @pytest.mark.parametrize("status", [429, 503])
    def test_an_answer_that_may_pass_is_requested_again(self, status: int) -> None:
        asked: list[float] = []

        def answer(_: str, authorization: str | None) -> Reply:
            asked.append(time.monotonic())
            if len(asked) == 1:
                return Reply(status=status, headers={"Retry-After": "1"})
            return by_token(Reply(body=b"{}"))("GET", authorization)

        assert ask({"/v2/": answer, "/token": TOKEN}).problem is None
        assert asked[1] - asked[0] >= 1

    def test_a_longer_wait_is_reported_and_not_waited(self) -> None:
        start = time.monotonic()
        problem = ask_first(
            Reply(status=429, headers={"Retry-After": "3600"}, body=errors("toomanyrequests: slow down"))
        )
        assert problem.message.endswith("(HTTP 429), and asks to wait 3600 s: toomanyrequests: slow down")
        assert time.monotonic() - start < 60

    def test_a_connection_that_is_lost_is_made_again(self) -> None:
        open_registry = (
            b"HTTP/1.1 200 OK\r\nDocker-Distribution-Api-Version: registry/2.0\r\nContent-Length: 2\r\n\r\n{}"
        )
        with raw(open_registry, lost=1) as port:
            assert validate(Address.parse(f"http://127.0.0.1:{port}"), LOGIN).problem is None

    def test_a_connection_that_is_always_lost_is_reported(self) -> None:
        with raw(b"") as port:
            problem = validate(Address.parse(f"http://127.0.0.1:{port}"), LOGIN).problem
        assert problem
        assert problem.code == "registry-unreachable"


@pytest.mark.field("c21")
class TestSlowness:
    LIMITS = Connection(timeout=0.4, patience=1.2)

    def test_a_token_service_within_the_patience_is_right(self) -> None:
        replies = {"/v2/": by_token(Reply(body=b"{}")), "/token": Reply(body=TOKEN.body, delay=0.7)}
        assert ask(replies, connection=self.LIMITS).problem is None

    def test_a_token_service_beyond_it_is_named(self) -> None:
        replies = {"/v2/": by_token(Reply(body=b"{}")), "/token": Reply(body=TOKEN.body, delay=5)}
        problem = ask(replies, connection=self.LIMITS).problem
        assert problem
        assert problem.code == "registry-slow"
        assert problem.message.startswith("the token service at http://127.0.0.1")
        assert "firewall" not in str(problem)

    def test_an_upstream_beyond_it_is_named_and_the_login_is_right(self) -> None:
        problem = ask_harbor(Reply(delay=5), connection=self.LIMITS)
        assert problem.code == "registry-slow"
        assert problem.message.startswith("the manifest of 127.0.0.1")
        assert problem.message.endswith("and the login is valid")
        assert "firewall" not in str(problem)

    def test_a_silent_first_answer_still_is_the_firewalls(self) -> None:
        problem = ask({"/v2/": Reply(delay=5)}, connection=self.LIMITS).problem
        assert problem
        assert (problem.code, "firewalls" in problem.hint) == ("registry-timeout", True)
