"""The requests that check one login.

The steps are those of a docker client (distribution's token specification), with one addition for Harbor: it answers
401 to a wrong password only if the request has no scope; with a scope it issues an anonymous token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from harbor_agent.errors import Problem
from harbor_agent.formats.basic_auth import encode_login
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.registry.answer import Answer
from harbor_agent.registry.challenge import parse_challenges
from harbor_agent.registry.http import HttpClient
from harbor_agent.registry.image import MANIFEST_TYPES, build_image_url, format_image
from harbor_agent.registry.login_problems import (
    describe_denied_pull,
    describe_login_not_requested,
    describe_malformed_login,
    describe_missing_image,
    describe_policy,
    describe_rejected_login,
    describe_rejected_token,
    is_policy,
)
from harbor_agent.registry.origin import format_origin
from harbor_agent.registry.problems import describe_unexpected, find_unhealthy, is_read_only, is_registry
from harbor_agent.registry.realm import check_realm
from harbor_agent.registry.reason import is_web_page

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import Credentials
    from harbor_agent.registry.challenge import Challenge
    from harbor_agent.registry.http import Connection

_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 400, 401, 403, 404
# An answer to HEAD that GET would repeat; any other is asked for again by GET, because HEAD has no body with a reason.
_FINAL_FOR_HEAD = frozenset({200, 301, 302, 303, 307, 308, 404, 429})
_SLOW = 5.0


class LoginCheck:
    """The requests of one check; every step returns the problem that ended it, or None."""

    def __init__(self, address: Address, credentials: Credentials, connection: Connection) -> None:
        """Send nothing yet. Raises UsageError for credentials that no registry can accept."""
        self._address = address
        self._username = credentials.username
        encoded, password = encode_login(credentials).reveal(), credentials.password.reveal()
        self._basic = Sensitive(f"Basic {encoded}")
        hidden = (encoded, password, quote(password, safe=""), password.strip())
        self._client = HttpClient(connection, hidden)
        self._notes: list[Problem] = []
        self.is_proven = False

    def run(self, repository: str | None, reference: str | None) -> Problem | None:
        """Ask all questions; return the problem that ended them, or None."""
        base = f"{self._address.url}/v2/"
        answer = self._request("GET", base)
        if isinstance(answer, Problem):
            return answer
        if answer.status == _OK and is_registry(answer):
            return self._check_open(repository, reference)
        challenges = parse_challenges(answer.headers.get_list("www-authenticate"))
        if answer.status != _UNAUTHORIZED or not challenges:
            return describe_unexpected(answer, base)
        authorization: Sensitive | Problem = self._basic
        if "bearer" in challenges:
            authorization = self._check_token(base, challenges["bearer"], repository)
        # docker requests the token first, and then overwrites it with the login (distribution, session.go)
        if "basic" in challenges and not isinstance(authorization, Problem):
            authorization = self._check_basic(base)
        return (
            authorization
            if isinstance(authorization, Problem)
            else self._check_pull(authorization, repository, reference)
        )

    def list_notes(self) -> list[Problem]:
        """Return the notes, including the proxies that were used."""
        proxies = [
            Problem(
                code="registry-through-proxy",
                message=f"requests to {self._address} went through the proxy {proxy}",
                hint=f"if the registry is inside the network, add {self._address.host} to NO_PROXY",
            )
            for proxy in sorted(self._client.proxies)
        ]
        return [*self._notes, *proxies]

    def _check_open(self, repository: str | None, reference: str | None) -> Problem | None:
        """Ask for the image as dockerd would: without the login, because /v2/ requests none."""
        address = self._address
        if not repository:
            self._note("registry-open", f"{address} requires no login: any user and password do, so none is proven")
            return None
        image, answer = (
            format_image(self._address, repository, reference),
            self._request_image(None, repository, reference),
        )
        if isinstance(answer, Problem):
            return answer
        if answer.status == _OK:
            self._note("registry-open", f"{address} requires no login: anybody may pull {image}")
            return None
        if answer.status not in {_UNAUTHORIZED, _FORBIDDEN} or is_policy(answer):
            self._note("registry-open", f"{address} requires no login at /v2/")
            return self._describe_pull(answer, repository, reference)
        problem = self._try_login(answer, repository, reference)
        return problem or describe_login_not_requested(address, image, "; the login is valid" if self.is_proven else "")

    def _try_login(self, denial: Answer, repository: str, reference: str | None) -> Problem | None:
        """Send the login that an image requests although /v2/ does not; return the problem if it is not accepted."""
        challenges = parse_challenges(denial.headers.get_list("www-authenticate"))
        if not challenges:
            return None
        authorization: Sensitive | Problem = self._basic
        if "bearer" in challenges:
            problem = self._check_realm(challenges["bearer"].realm)
            authorization = problem or self._request_token(challenges["bearer"], f"repository:{repository}:pull")
        if isinstance(authorization, Problem):
            return authorization
        answer = self._request_image(authorization, repository, reference)
        if isinstance(answer, Problem):
            return answer
        if answer.status == _UNAUTHORIZED and "bearer" not in challenges:
            return describe_rejected_login(self._address, self._username, answer)
        self.is_proven = answer.status in {_OK, _NOT_FOUND}
        return None if self.is_proven else self._describe_pull(answer, repository, reference)

    def _check_basic(self, base: str) -> Sensitive | Problem:
        answer = self._request("GET", base, self._basic, name="the login")
        if isinstance(answer, Problem):
            return answer
        if answer.status != _OK:
            return self._describe_login(answer, base)
        self.is_proven = True
        return self._basic

    def _check_token(self, base: str, challenge: Challenge, repository: str | None) -> Sensitive | Problem:
        problem = self._check_realm(challenge.realm)
        if problem:
            return problem
        if challenge.service == "harbor-registry":
            self._check_health()
        token = self._request_token(challenge, None)
        if isinstance(token, Problem):
            return token
        answer = self._request("GET", base, token, name="/v2/ with a token")
        if isinstance(answer, Problem):
            return answer
        if answer.status in {_UNAUTHORIZED, _FORBIDDEN} and not is_web_page(answer.body):
            return describe_rejected_token(self._address, challenge.realm, answer)
        if answer.status != _OK:
            return describe_unexpected(answer, base, is_known=True)
        self.is_proven = True
        return self._request_token(challenge, f"repository:{repository}:pull") if repository else token

    def _check_realm(self, realm: str) -> Problem | None:
        problem, note = check_realm(self._address, realm)
        if note:
            self._notes.append(note)
        return problem

    def _request_token(self, challenge: Challenge, scope: str | None) -> Sensitive | Problem:
        query = {"service": challenge.service} | ({"scope": scope} if scope else {})
        separator = "&" if urlsplit(challenge.realm).query else "?"
        url = f"{challenge.realm}{separator}{urlencode(query)}"
        answer = self._request("GET", url, self._basic, name="the token service")
        if isinstance(answer, Problem):
            return answer
        if answer.status != _OK:
            return self._describe_login(answer, challenge.realm)
        token = answer.read_member("token") or answer.read_member("access_token")
        if not token:
            return Problem(
                code="registry-token-missing",
                message=f"{format_origin(challenge.realm)} accepted the login but returned no token",
                hint="check that this is the registry's token service, and not a proxy",
            )
        return Sensitive(f"Bearer {token}")

    def _describe_login(self, answer: Answer, url: str) -> Problem:
        """Return the problem of an answer to a login."""
        if answer.status in {_UNAUTHORIZED, _FORBIDDEN} and not (
            answer.status == _FORBIDDEN and is_web_page(answer.body)
        ):
            return describe_rejected_login(self._address, self._username, answer)
        if answer.status == _BAD_REQUEST:
            return describe_malformed_login(self._address, self._username, answer)
        return describe_unexpected(answer, url, is_known=True)

    def _check_pull(self, authorization: Sensitive, repository: str | None, reference: str | None) -> Problem | None:
        if not repository:
            return None
        answer = self._request_image(authorization, repository, reference)
        return answer if isinstance(answer, Problem) else self._describe_pull(answer, repository, reference)

    def _request_image(
        self, authorization: Sensitive | None, repository: str, reference: str | None
    ) -> Answer | Problem:
        """Ask for the manifest, or without a reference for the tags."""
        image, login = (
            format_image(self._address, repository, reference),
            ", and the login is valid" if self.is_proven else "",
        )
        url = build_image_url(self._address, repository, reference)
        if not reference:
            return self._request("GET", url, authorization, accept="application/json", name=f"the tags of {image}")
        name = f"the manifest of {image}"
        answer = self._request("HEAD", url, authorization, accept=MANIFEST_TYPES, name=name)
        if isinstance(answer, Answer) and answer.status not in _FINAL_FOR_HEAD:
            answer = self._request("GET", url, authorization, accept=MANIFEST_TYPES, name=name)
        if isinstance(answer, Problem) and answer.code == "registry-slow":
            return Problem(code=answer.code, message=f"{answer.message}{login}", hint=answer.hint)
        return answer

    def _describe_pull(self, answer: Answer, repository: str, reference: str | None) -> Problem | None:
        """Return the problem of an answer to a pull, None if it is allowed."""
        image = format_image(self._address, repository, reference)
        if answer.status == _OK:
            return None
        if answer.status == _NOT_FOUND:
            return describe_missing_image(image)
        if is_policy(answer) and self.is_proven:
            return describe_policy(image, answer)
        if answer.status in {_UNAUTHORIZED, _FORBIDDEN} and not is_web_page(answer.body) and not is_read_only(answer):
            return describe_denied_pull(image, self._username, answer)
        login = "; the login is valid" if self.is_proven else ""
        return describe_unexpected(
            answer, build_image_url(self._address, repository, reference), is_known=True, login=login
        )

    def _check_health(self) -> None:
        """Note what Harbor reports about itself; it answers 200 even if it is unhealthy."""
        answer = self._request("GET", f"{self._address.url}/api/v2.0/health", accept="application/json", name="health")
        if isinstance(answer, Answer) and answer.status == _OK:
            problem = find_unhealthy(self._address, answer)
            if problem:
                self._notes.append(problem)

    def _request(
        self, method: str, url: str, authorization: Sensitive | None = None, *, accept: str = "*/*", name: str = ""
    ) -> Answer | Problem:
        """Return the answer, and note one that took long."""
        answer = self._client.request(method, url, authorization=authorization, accept=accept, name=name)
        if isinstance(answer, Answer) and answer.seconds > _SLOW:
            self._note(
                "registry-slow",
                f"{name or '/v2/'} at {format_origin(url)} took {answer.seconds:.0f} s to answer",
                "check how long the registry waits for its directory (LDAP, OIDC), database, storage or upstream",
            )
        return answer

    def _note(self, code: str, message: str, hint: str = "") -> None:
        self._notes.append(Problem(code=code, message=message, hint=hint))
