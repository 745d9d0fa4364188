from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.errors import UsageError
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.registry.http import Connection
from harbor_agent.registry.validate import validate
from tests.cluster.answering import Reply, answering, free_port, raw, silent
from tests.cluster.conftest import ROBOT
from tests.lab.certificates import Authority
from tests.lab.registry import Login, running_registry

if TYPE_CHECKING:
    from pathlib import Path

    from harbor_agent.errors import Problem
    from harbor_agent.registry.validate import Validation
    from tests.lab.registry import RunningRegistry

needs_registry = pytest.mark.needs("registry")
ROBOT_LOGIN = Credentials(username=ROBOT.name, password=Sensitive(ROBOT.password))
WRONG = Credentials(username=ROBOT.name, password=Sensitive("canary-password"))


def address(registry: RunningRegistry) -> Address:
    return Address.parse(registry.url)


def found(validation: Validation) -> list[Problem]:
    """Everything: the problem first, then the notes."""
    return [*([validation.problem] if validation.problem else []), *validation.notes]


def codes(validation: Validation) -> list[str]:
    return [warning.code for warning in found(validation)]


def loopback(port: int, scheme: str = "http") -> Address:
    return Address.parse(f"{scheme}://127.0.0.1:{port}")


class TestHarbor:
    pytestmark = needs_registry

    def test_right_login_that_may_pull(self, harbor: RunningRegistry) -> None:
        validation = validate(address(harbor), ROBOT_LOGIN, repository="shop/web", reference="1")
        assert validation.problem is None
        assert found(validation) == []

    def test_right_login_and_any_tag(self, harbor: RunningRegistry) -> None:
        assert codes(validate(address(harbor), ROBOT_LOGIN, repository="shop/web")) == []

    def test_wrong_password(self, harbor: RunningRegistry) -> None:
        validation = validate(address(harbor), WRONG, repository="library/pause", reference="3.9")
        assert codes(validation) == ["registry-credentials-wrong"]
        assert "canary-password" not in repr(validation)

    def test_login_that_may_not_pull(self, harbor: RunningRegistry) -> None:
        validation = validate(address(harbor), ROBOT_LOGIN, repository="secret/plans", reference="1")
        assert codes(validation) == ["registry-pull-denied"]
        assert ROBOT.name in found(validation)[0].message

    def test_no_such_tag(self, harbor: RunningRegistry) -> None:
        validation = validate(address(harbor), ROBOT_LOGIN, repository="shop/web", reference="2")
        assert codes(validation) == ["registry-image-missing"]

    def test_unhealthy_is_said_beside_the_answer(self, tmp_path: Path) -> None:
        with running_registry(tmp_path, authentication="token", logins=[ROBOT], health="unhealthy") as registry:
            validation = validate(address(registry), ROBOT_LOGIN)
        assert validation.problem is None
        assert codes(validation) == ["registry-unhealthy"]
        assert "registry" in validation.notes[0].message

    def test_tokens_from_elsewhere_are_said_beside_the_answer(self, tmp_path: Path, harbor: RunningRegistry) -> None:
        realm = f"http://localhost:{harbor.port}/service/token"
        with running_registry(tmp_path, authentication="token", logins=[ROBOT], realm=realm) as registry:
            validation = validate(address(registry), ROBOT_LOGIN)
        # the other service knows the login, but the registry does not trust what it signs
        assert codes(validation) == ["registry-token-refused", "registry-realm-elsewhere"]

    def test_password_of_every_kind(self, tmp_path: Path) -> None:
        passwords = ["\"quotes'", "$HOME`id`", "line\nbreak", "密码-пароль", "x" * 10_000, ":colon:", " "]
        logins = [Login(name=f"robot$p+{number}", password=text) for number, text in enumerate(passwords)]
        with running_registry(tmp_path, authentication="token", logins=logins) as registry:
            for login in logins:
                login_given = Credentials(username=login.name, password=Sensitive(login.password))
                assert validate(address(registry), login_given).problem is None, login.name


class TestHtpasswd:
    pytestmark = needs_registry

    def test_right_login(self, htpasswd: RunningRegistry) -> None:
        validation = validate(address(htpasswd), ROBOT_LOGIN, repository="shop/web", reference="1")
        assert found(validation) == []

    def test_wrong_login(self, htpasswd: RunningRegistry) -> None:
        assert codes(validate(address(htpasswd), WRONG)) == ["registry-credentials-wrong"]


class TestOpen:
    pytestmark = needs_registry

    def test_anybody_may_pull_so_a_login_proves_nothing(self, open_registry: RunningRegistry) -> None:
        validation = validate(address(open_registry), WRONG, repository="library/pause", reference="3.9")
        assert validation.problem is None
        assert codes(validation) == ["registry-open"]

    def test_no_such_repository(self, open_registry: RunningRegistry) -> None:
        validation = validate(address(open_registry), WRONG, repository="no/such")
        assert codes(validation) == ["registry-image-missing", "registry-open"]

    def test_plain_http_where_https_was_said(self, open_registry: RunningRegistry) -> None:
        validation = validate(loopback(open_registry.port, "https"), ROBOT_LOGIN)
        assert codes(validation) == ["registry-http-on-https"]
        assert f"http://127.0.0.1:{open_registry.port}" in found(validation)[0].hint


class TestTls:
    pytestmark = needs_registry

    def test_unknown_authority_and_known_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with running_registry(tmp_path, authentication="token", logins=[ROBOT], tls=True) as registry:
            assert codes(validate(address(registry), ROBOT_LOGIN)) == ["registry-certificate"]
            monkeypatch.setenv("SSL_CERT_FILE", str(registry.authority))
            assert codes(validate(address(registry), ROBOT_LOGIN)) == []

    def test_https_where_plain_http_was_said(self, tmp_path: Path) -> None:
        with running_registry(tmp_path, tls=True) as registry:
            validation = validate(loopback(registry.port), ROBOT_LOGIN)
        assert codes(validation) == ["registry-tls-on-http"]
        assert f"https://127.0.0.1:{registry.port}" in found(validation)[0].hint


class TestNoRegistry:
    def test_nothing_listens(self) -> None:
        assert codes(validate(loopback(free_port()), ROBOT_LOGIN)) == ["registry-refused"]

    def test_nothing_is_said(self) -> None:
        with silent() as port:
            assert codes(validate(loopback(port), ROBOT_LOGIN, connection=Connection(timeout=0.3))) == [
                "registry-timeout"
            ]

    def test_name_that_is_none(self) -> None:
        validation = validate(Address.parse("harbor.invalid"), ROBOT_LOGIN)
        assert codes(validation) == ["registry-name-unresolved"]

    @needs_registry
    def test_name_that_only_the_settings_resolve(self, tmp_path: Path) -> None:
        authority = Authority()
        authority.issue(["harbor.invalid"]).write(tmp_path / "tls.crt", tmp_path / "tls.key")
        tls = {"certificate": str(tmp_path / "tls.crt"), "key": str(tmp_path / "tls.key")}
        trusted, known = authority.pem.decode(), {"harbor.invalid": "127.0.0.1"}
        with running_registry(tmp_path / "data", authentication="htpasswd", logins=[ROBOT], tls=tls) as registry:
            there = Address.parse(f"https://harbor.invalid:{registry.port}")
            for addresses, code in (({}, ["registry-name-unresolved"]), (known, [])):
                connection = Connection(authorities=trusted, addresses=addresses)
                assert codes(validate(there, ROBOT_LOGIN, connection=connection)) == code

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_redirect_to_https_is_said_and_not_followed(self, status: int) -> None:
        with answering({"/v2/": Reply(status=status, headers={"Location": "https://harbor.invalid/v2/"})}) as server:
            validation = validate(loopback(server.port), ROBOT_LOGIN)
        assert codes(validation) == ["registry-redirects-to-https"]
        assert "https://harbor.invalid" in found(validation)[0].hint
        assert server.requests == [("/v2/", None)]

    def test_redirect_elsewhere(self) -> None:
        with answering({"/v2/": Reply(status=302, headers={"Location": "/login"})}) as server:
            assert codes(validate(loopback(server.port), ROBOT_LOGIN)) == ["registry-redirects"]

    @pytest.mark.parametrize(
        ("reply", "code"),
        [
            (Reply(status=404), "registry-not-a-registry"),
            (Reply(body=b"<html>Welcome to nginx!</html>"), "registry-not-a-registry"),
            (Reply(status=401), "registry-not-a-registry"),
            (Reply(status=401, headers={"WWW-Authenticate": "Negotiate"}), "registry-not-a-registry"),
            (Reply(status=502), "registry-server-error"),
            (Reply(status=429), "registry-too-many-requests"),
            (Reply(status=400, body=b"The plain HTTP request was sent to HTTPS port"), "registry-tls-on-http"),
        ],
    )
    def test_something_else_answers(self, reply: Reply, code: str) -> None:
        with answering({"/v2/": reply}) as server:
            validation = validate(loopback(server.port), ROBOT_LOGIN)
        assert codes(validation) == [code]
        assert set(server.requests) == {("/v2/", None)}

    def test_tls_alert(self) -> None:
        with raw(b"\x15\x03\x03\x00\x02\x02\x46") as port:
            assert codes(validate(loopback(port), ROBOT_LOGIN)) == ["registry-tls-on-http"]

    def test_something_that_is_not_http(self) -> None:
        with raw(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
            assert codes(validate(loopback(port), ROBOT_LOGIN)) == ["registry-unreachable"]

    def test_token_service_that_is_no_url(self) -> None:
        with answering(
            {"/v2/": Reply(status=401, headers={"WWW-Authenticate": 'Bearer realm="http://[x/"'})}
        ) as server:
            assert codes(validate(loopback(server.port), ROBOT_LOGIN)) == ["registry-realm-invalid"]


class TestTokenService:
    @staticmethod
    def bearer(realm: str) -> Reply:
        return Reply(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'})

    def test_redirect_does_not_take_the_login_along(self) -> None:
        with answering({"/stolen": Reply(body=b'{"token":"t"}')}) as thief:
            replies = {
                "/v2/": self.bearer("http://127.0.0.1:{port}/token"),
                "/token": Reply(status=307, headers={"Location": f"http://127.0.0.1:{thief.port}/stolen"}),
            }
            with answering(replies) as server:
                validation = validate(loopback(server.port), ROBOT_LOGIN)
        assert codes(validation) == ["registry-redirects"]
        assert thief.requests == []

    def test_unreachable_token_service_is_named_with_its_place(self) -> None:
        nowhere = free_port()
        with answering({"/v2/": self.bearer(f"http://127.0.0.1:{nowhere}/service/token")}) as server:
            validation = validate(loopback(server.port), ROBOT_LOGIN)
        assert codes(validation) == ["registry-refused", "registry-realm-elsewhere"]
        assert f"127.0.0.1:{nowhere}" in found(validation)[0].message

    def test_answer_without_a_token(self) -> None:
        replies = {"/v2/": self.bearer("http://127.0.0.1:{port}/token"), "/token": Reply(body=b"<html>")}
        with answering(replies) as server:
            assert codes(validate(loopback(server.port), ROBOT_LOGIN)) == ["registry-token-missing"]

    def test_one_wrong_login_is_sent_once(self) -> None:
        replies = {"/v2/": self.bearer("http://127.0.0.1:{port}/token"), "/token": Reply(status=401)}
        with answering(replies) as server:
            validate(loopback(server.port), WRONG, repository="a/b", reference="1")
        assert sum(authorization is not None for _, authorization in server.requests) == 1


class TestProxy:
    def test_proxy_that_is_used_is_named_without_its_password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with answering({"http://harbor.invalid/v2/": Reply(status=502)}) as proxy:
            monkeypatch.setenv("http_proxy", f"http://me:hidden@127.0.0.1:{proxy.port}")
            validation = validate(Address.parse("harbor.invalid"), ROBOT_LOGIN)
        assert codes(validation) == ["registry-server-error", "registry-through-proxy"]
        assert f"http://127.0.0.1:{proxy.port}" in validation.notes[0].message
        assert "hidden" not in repr(validation)

    def test_proxy_that_does_not_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{free_port()}")
        validation = validate(Address.parse("harbor.invalid"), ROBOT_LOGIN)
        assert codes(validation) == ["registry-proxy-failed", "registry-through-proxy"]

    def test_exception_is_honoured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv("no_proxy", ".invalid")
        assert codes(validate(Address.parse("harbor.invalid"), ROBOT_LOGIN)) == ["registry-name-unresolved"]


def test_login_that_no_registry_can_take() -> None:
    with pytest.raises(UsageError) as caught:
        validate(Address.parse("harbor.lan"), Credentials(username="a:canary", password=Sensitive("x")))
    assert caught.value.problem.code == "credentials-username-invalid"
    assert "'a:…'" in caught.value.problem.message
    assert "canary" not in str(caught.value)
    with pytest.raises(UsageError) as caught:
        validate(Address.parse("harbor.lan"), Credentials(username="a", password=Sensitive("canary\udcff")))
    assert caught.value.problem.code == "credentials-not-utf8"
    assert "canary" not in str(caught.value)
