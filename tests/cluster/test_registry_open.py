"""A login is right only if the registry requested it."""

from __future__ import annotations

import pytest

from harbor_agent.model.address import Address
from harbor_agent.registry.realm import check_realm
from tests.cluster.answering import Reply
from tests.cluster.registry_answers import HARBOR, TOKEN, ask, by_login, by_token, errors

OPEN = Reply(headers={"Docker-Distribution-Api-Version": "registry/2.0"}, body=b"{}")
BASIC_401 = Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})
SECRET = "/v2/secret/app/manifests/1"


@pytest.mark.field("c14")
class TestOpenPing:
    def test_a_login_that_was_not_requested_is_not_proven(self) -> None:
        validation = ask({"/v2/": OPEN})
        assert (validation.problem, validation.is_proven) == (None, False)
        assert [note.code for note in validation.notes] == ["registry-open"]

    def test_an_anonymous_pull_proves_nothing(self) -> None:
        validation = ask({"/v2/": OPEN, SECRET: Reply()}, "secret/app:1")
        assert (validation.problem, validation.is_proven) == (None, False)
        assert "anybody may pull" in validation.notes[0].message

    def test_a_right_login_is_not_blamed_for_a_registry_that_does_not_request_it(self) -> None:
        problem = ask({"/v2/": OPEN, SECRET: by_login(Reply(), BASIC_401)}, "secret/app:1").problem
        assert problem
        assert problem.code == "registry-login-not-requested"
        assert problem.message.endswith("so dockerd sends none; the login is valid")
        assert "zot" in problem.hint

    def test_a_wrong_login_is_found_at_the_repository(self) -> None:
        problem = ask({"/v2/": OPEN, SECRET: BASIC_401}, "secret/app:1").problem
        assert problem
        assert problem.code == "registry-credentials-wrong"

    @pytest.mark.parametrize(
        ("token", "manifest", "code"),
        [
            (TOKEN, by_token(Reply()), "registry-login-not-requested"),
            (Reply(status=401), by_token(Reply()), "registry-credentials-wrong"),
            (TOKEN, by_token(Reply(status=403, body=errors("no"))), "registry-pull-denied"),
            (TOKEN, Reply(status=403, body=errors("no")), "registry-login-not-requested"),
        ],
    )
    def test_a_token_for_the_repository(self, token: Reply, manifest: object, code: str) -> None:
        problem = ask({"/v2/": OPEN, "/token": token, SECRET: manifest}, "secret/app:1").problem  # type: ignore[dict-item]
        assert problem
        assert problem.code == code


class TestChallenges:
    def test_the_first_challenge_of_a_header_line_counts(self) -> None:
        both = Reply(status=401, headers={"WWW-Authenticate": f'Basic realm="r", {HARBOR.headers["WWW-Authenticate"]}'})
        assert ask({"/v2/": by_login(OPEN, both)}).is_proven

    def test_the_second_does_not_change_the_realm_of_the_first(self) -> None:
        both = Reply(status=401, headers={"WWW-Authenticate": f'{HARBOR.headers["WWW-Authenticate"]}, Basic realm="r"'})
        assert ask({"/v2/": by_token(OPEN, both), "/token": TOKEN}).is_proven

    @pytest.mark.parametrize(
        ("host", "words"),
        [
            ("localhost", "which is each node itself"),
            ("harbor-core.harbor.svc", "a name that only pods can resolve"),
            ("harbor-core", "a name without a domain"),
            ("169.254.1.1", "which other machines cannot reach"),
        ],
    )
    def test_a_realm_that_nodes_cannot_reach(self, host: str, words: str) -> None:
        problem, note = check_realm(Address.parse("192.168.0.99"), f"http://{host}:8080/service/token")
        assert problem is None
        assert note
        assert words in note.message
