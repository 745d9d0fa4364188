"""Whether a login can pull from a registry, asked over HTTP before anything is changed.

The steps are those of a docker client (distribution's token specification), with one addition for Harbor: it
answers 401 to a wrong password only where no scope is asked for; with one it hands out an anonymous token.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from harbor_agent.errors import Problem
from harbor_agent.formats.basic_auth import encode_login
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.registry.challenge import preferred_challenge
from harbor_agent.registry.http import Answer, Web, place, same_origin
from harbor_agent.registry.problems import (
    credentials_wrong,
    is_registry,
    token_refused,
    unexpected,
    unhealthy,
)

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import Credentials
    from harbor_agent.registry.challenge import Challenge

_MANIFEST_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json"
)
_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The answer to "can this login pull from this registry".

    `problem` is why it cannot; None if it can. `notes` are worth knowing either way (a proxy was used, tokens come
    from another host, Harbor reports that it is unhealthy).
    """

    address: Address
    problem: Problem | None = None
    notes: tuple[Problem, ...] = ()


def validate(
    address: Address,
    credentials: Credentials,
    *,
    repository: str | None = None,
    reference: str | None = None,
    timeout: float = 10.0,
) -> Validation:
    """Ask the registry whether `credentials` are right and, with `repository`, whether they may pull from it.

    One wrong login is sent at most (Harbor locks a user for 1.5 s after each). `reference` is a tag or digest;
    without it the repository's tags are asked for. `timeout` is seconds for each request, of which there are at
    most seven. Proxies of the environment are used (harbor_agent.local.proxy) and named in the notes. Raises
    UsageError for credentials that no registry can take; everything else is in the answer.
    """
    check = _Check(address, credentials, timeout)
    if repository and address.is_docker_hub and "/" not in repository:
        repository = f"library/{repository}"  # what docker makes of a short name
    problem = check.run(repository, reference)
    return Validation(address=address, problem=problem, notes=tuple(check.closing_notes()))


class _Check:
    """One run of questions to one registry; every step returns what ended it, or None."""

    def __init__(self, address: Address, credentials: Credentials, timeout: float) -> None:
        self._address = address
        self._username = credentials.username
        self._basic = Sensitive(f"Basic {encode_login(credentials).reveal()}")
        self._web = Web(timeout=timeout)
        self._notes: list[Problem] = []

    def run(self, repository: str | None, reference: str | None) -> Problem | None:
        base = f"{self._address.url}/v2/"
        answer = self._web.ask("GET", base)
        if isinstance(answer, Problem):
            return answer
        if answer.status == _OK and is_registry(answer):
            return self._open(repository, reference)
        challenge = preferred_challenge(answer.headers.get_list("www-authenticate"))
        if answer.status != _UNAUTHORIZED or not challenge:
            return unexpected(answer, base)
        if challenge.scheme == "basic":
            return self._with_basic(base, repository, reference)
        return self._with_token(base, challenge, repository, reference)

    def closing_notes(self) -> list[Problem]:
        """Return the notes, with the proxies that were used."""
        proxies = [
            Problem(
                code="registry-through-proxy",
                message=f"{self._address} was asked through the proxy {proxy}",
                hint=f"a registry inside the network belongs in NO_PROXY: add {self._address.host}",
            )
            for proxy in sorted(self._web.proxies)
        ]
        return [*self._notes, *proxies]

    def _open(self, repository: str | None, reference: str | None) -> Problem | None:
        self._note("registry-open", f"{self._address} asks for no login: any user name and password pass")
        return self._may_pull(None, repository, reference)

    def _with_basic(self, base: str, repository: str | None, reference: str | None) -> Problem | None:
        answer = self._web.ask("GET", base, authorization=self._basic)
        if isinstance(answer, Problem):
            return answer
        if answer.status == _UNAUTHORIZED:
            return credentials_wrong(self._address, self._username)
        if answer.status != _OK:
            return unexpected(answer, base)
        return self._may_pull(self._basic, repository, reference)

    def _with_token(
        self, base: str, challenge: Challenge, repository: str | None, reference: str | None
    ) -> Problem | None:
        problem = self._judge_realm(challenge.realm)
        if problem:
            return problem
        if challenge.service == "harbor-registry":
            self._ask_health()
        token = self._token(challenge, None)
        if isinstance(token, Problem):
            return token
        answer = self._web.ask("GET", base, authorization=token)
        if isinstance(answer, Problem):
            return answer
        if answer.status != _OK:
            return token_refused(self._address, challenge.realm)
        if not repository:
            return None
        token = self._token(challenge, f"repository:{repository}:pull")
        return token if isinstance(token, Problem) else self._may_pull(token, repository, reference)

    def _judge_realm(self, realm: str) -> Problem | None:
        """Note a token service elsewhere; refuse one that the login would reach in the clear."""
        expected, actual = place(self._address.url), place(realm)
        hub = self._address.is_docker_hub and actual == "https://auth.docker.io"
        if hub or same_origin(self._address.url, realm):
            return None
        hint = "for Harbor: set hostname, port and external_url in harbor.yml to the address that nodes use"
        if not actual.startswith(("http://", "https://")):
            message = f"{expected} names a token service that is no URL"
            return Problem(code="registry-realm-invalid", message=message, hint=hint)
        if expected.startswith("https:") and actual.startswith("http:"):
            message = f"{expected} sends logins in the clear to {actual}; nothing was sent"
            return Problem(code="registry-realm-downgrade", message=message, hint=hint)
        self._note("registry-realm-elsewhere", f"{expected} sends logins to {actual}", hint)
        return None

    def _token(self, challenge: Challenge, scope: str | None) -> Sensitive | Problem:
        query = {"service": challenge.service} | ({"scope": scope} if scope else {})
        separator = "&" if urlsplit(challenge.realm).query else "?"
        answer = self._web.ask("GET", f"{challenge.realm}{separator}{urlencode(query)}", authorization=self._basic)
        if isinstance(answer, Problem):
            return answer
        if answer.status in {_UNAUTHORIZED, _FORBIDDEN}:
            return credentials_wrong(self._address, self._username)
        if answer.status != _OK:
            return unexpected(answer, challenge.realm)
        token = _member(answer, "token") or _member(answer, "access_token")
        if not token:
            return Problem(
                code="registry-token-missing",
                message=f"{place(challenge.realm)} accepted the login but gave no token",
                hint="check what answers there: it should be the registry's token service",
            )
        return Sensitive(f"Bearer {token}")

    def _may_pull(
        self, authorization: Sensitive | None, repository: str | None, reference: str | None
    ) -> Problem | None:
        if not repository:
            return None
        image = f"{self._address}/{repository}" + (f":{reference}" if reference and ":" not in reference else "")
        path = f"manifests/{reference}" if reference else "tags/list"
        url = f"{self._address.url}/v2/{repository}/{path}"
        answer = self._web.ask(
            "HEAD" if reference else "GET",
            url,
            authorization=authorization,
            accept=_MANIFEST_TYPES if reference else "application/json",
        )
        if isinstance(answer, Problem):
            return answer
        match answer.status:
            case 200:
                return None
            case 401 | 403:
                return Problem(
                    code="registry-pull-denied",
                    message=f"the user '{self._username}' may not pull {image}",
                    hint=f"give the account the right to pull from {repository.split('/')[0]}, or check the name",
                )
            case 404:
                return Problem(
                    code="registry-image-missing",
                    message=f"there is no {image}",
                    hint="check repository and tag; some registries answer so too where the right to pull is missing",
                )
            case _:
                return unexpected(answer, url)

    def _ask_health(self) -> None:
        """Note what Harbor says of itself: its answer is 200 also when it is unhealthy."""
        answer = self._web.ask("GET", f"{self._address.url}/api/v2.0/health", accept="application/json")
        if isinstance(answer, Answer) and answer.status == _OK:
            problem = unhealthy(self._address, answer)
            if problem:
                self._notes.append(problem)

    def _note(self, code: str, message: str, hint: str = "") -> None:
        self._notes.append(Problem(code=code, message=message, hint=hint))


def _member(answer: Answer, name: str) -> str:
    """Return a string member of a JSON object, "" where there is none."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""
