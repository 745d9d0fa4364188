"""Whether a login can pull from a registry, checked over HTTP before anything is changed.

The steps are those of a docker client (distribution's token specification), with one addition for Harbor: it answers
401 to a wrong password only if the request has no scope; with a scope it issues an anonymous token.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from harbor_agent.errors import Problem
from harbor_agent.formats.basic_auth import encode_login
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.registry.challenge import choose_challenge
from harbor_agent.registry.http import Answer, HttpClient, format_origin, is_same_origin
from harbor_agent.registry.problems import (
    describe_rejected_login,
    describe_rejected_token,
    describe_unexpected,
    find_unhealthy,
    is_registry,
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

    Sends at most one wrong login (Harbor locks a user for 1.5 s after each). `reference` is a tag or digest; without
    it the request is for the repository's tags. `timeout` is seconds for each request, of which there are at most
    seven. Proxies of the environment are used (harbor_agent.local.proxy) and named in the notes. Raises UsageError
    for credentials that no registry can accept; everything else is in the answer.
    """
    check = _Check(address, credentials, timeout)
    if repository and address.is_docker_hub and "/" not in repository:
        repository = f"library/{repository}"  # docker expands short names this way
    problem = check.run(repository, reference)
    return Validation(address=address, problem=problem, notes=tuple(check.list_notes()))


class _Check:
    """The requests of one check; every step returns the problem that ended it, or None."""

    def __init__(self, address: Address, credentials: Credentials, timeout: float) -> None:
        self._address = address
        self._username = credentials.username
        self._basic = Sensitive(f"Basic {encode_login(credentials).reveal()}")
        self._client = HttpClient(timeout=timeout)
        self._notes: list[Problem] = []

    def run(self, repository: str | None, reference: str | None) -> Problem | None:
        base = f"{self._address.url}/v2/"
        answer = self._client.request("GET", base)
        if isinstance(answer, Problem):
            return answer
        if answer.status == _OK and is_registry(answer):
            return self._check_open(repository, reference)
        challenge = choose_challenge(answer.headers.get_list("www-authenticate"))
        if answer.status != _UNAUTHORIZED or not challenge:
            return describe_unexpected(answer, base)
        if challenge.scheme == "basic":
            return self._check_basic(base, repository, reference)
        return self._check_token(base, challenge, repository, reference)

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
        self._note("registry-open", f"{self._address} requires no login: it accepts any user name and password")
        return self._check_pull(None, repository, reference)

    def _check_basic(self, base: str, repository: str | None, reference: str | None) -> Problem | None:
        answer = self._client.request("GET", base, authorization=self._basic)
        if isinstance(answer, Problem):
            return answer
        if answer.status == _UNAUTHORIZED:
            return describe_rejected_login(self._address, self._username)
        if answer.status != _OK:
            return describe_unexpected(answer, base)
        return self._check_pull(self._basic, repository, reference)

    def _check_token(
        self, base: str, challenge: Challenge, repository: str | None, reference: str | None
    ) -> Problem | None:
        problem = self._check_realm(challenge.realm)
        if problem:
            return problem
        if challenge.service == "harbor-registry":
            self._check_health()
        token = self._request_token(challenge, None)
        if isinstance(token, Problem):
            return token
        answer = self._client.request("GET", base, authorization=token)
        if isinstance(answer, Problem):
            return answer
        if answer.status != _OK:
            return describe_rejected_token(self._address, challenge.realm)
        if not repository:
            return None
        token = self._request_token(challenge, f"repository:{repository}:pull")
        return token if isinstance(token, Problem) else self._check_pull(token, repository, reference)

    def _check_realm(self, realm: str) -> Problem | None:
        """Note a token service elsewhere; refuse one that would get the login unencrypted."""
        expected, actual = format_origin(self._address.url), format_origin(realm)
        hub = self._address.is_docker_hub and actual == "https://auth.docker.io"
        if hub or is_same_origin(self._address.url, realm):
            return None
        hint = "for Harbor: set hostname, port and external_url in harbor.yml to the address that nodes use"
        if not actual.startswith(("http://", "https://")):
            message = f"{expected} names a token service that is not a URL"
            return Problem(code="registry-realm-invalid", message=message, hint=hint)
        if expected.startswith("https:") and actual.startswith("http:"):
            message = f"{expected} directs logins to {actual}, which is not encrypted; nothing was sent"
            return Problem(code="registry-realm-downgrade", message=message, hint=hint)
        self._note("registry-realm-elsewhere", f"{expected} directs logins to {actual}", hint)
        return None

    def _request_token(self, challenge: Challenge, scope: str | None) -> Sensitive | Problem:
        query = {"service": challenge.service} | ({"scope": scope} if scope else {})
        separator = "&" if urlsplit(challenge.realm).query else "?"
        answer = self._client.request(
            "GET", f"{challenge.realm}{separator}{urlencode(query)}", authorization=self._basic
        )
        if isinstance(answer, Problem):
            return answer
        if answer.status in {_UNAUTHORIZED, _FORBIDDEN}:
            return describe_rejected_login(self._address, self._username)
        if answer.status != _OK:
            return describe_unexpected(answer, challenge.realm)
        token = _read_member(answer, "token") or _read_member(answer, "access_token")
        if not token:
            return Problem(
                code="registry-token-missing",
                message=f"{format_origin(challenge.realm)} accepted the login but returned no token",
                hint="check that this is the registry's token service, and not a proxy",
            )
        return Sensitive(f"Bearer {token}")

    def _check_pull(
        self, authorization: Sensitive | None, repository: str | None, reference: str | None
    ) -> Problem | None:
        if not repository:
            return None
        image = f"{self._address}/{repository}" + (f":{reference}" if reference and ":" not in reference else "")
        path = f"manifests/{reference}" if reference else "tags/list"
        url = f"{self._address.url}/v2/{repository}/{path}"
        answer = self._client.request(
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
                    message=f"user '{self._username}' is not allowed to pull {image}",
                    hint=f"grant the account pull access to {repository.split('/')[0]}, or check the name",
                )
            case 404:
                return Problem(
                    code="registry-image-missing",
                    message=f"{image} does not exist",
                    hint="check repository and tag; some registries also give this answer if pulling is not allowed",
                )
            case _:
                return describe_unexpected(answer, url)

    def _check_health(self) -> None:
        """Note what Harbor reports about itself; it answers 200 even if it is unhealthy."""
        answer = self._client.request("GET", f"{self._address.url}/api/v2.0/health", accept="application/json")
        if isinstance(answer, Answer) and answer.status == _OK:
            problem = find_unhealthy(self._address, answer)
            if problem:
                self._notes.append(problem)

    def _note(self, code: str, message: str, hint: str = "") -> None:
        self._notes.append(Problem(code=code, message=message, hint=hint))


def _read_member(answer: Answer, name: str) -> str:
    """Return a string member of a JSON object, "" if it is missing."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""
