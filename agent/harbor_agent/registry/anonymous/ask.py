"""The requests without a login: whether a server is a registry, by which scheme, and whether it shows an image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from harbor_agent.errors import Problem
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.registry.anonymous.answer import AnonymousAnswer, Shown
from harbor_agent.registry.challenge import parse_challenges
from harbor_agent.registry.http import Connection, HttpClient
from harbor_agent.registry.image import MANIFEST_TYPES, build_image_url, format_image
from harbor_agent.registry.problems import describe_unexpected, is_registry
from harbor_agent.registry.realm import check_realm

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.registry.answer import Answer
    from harbor_agent.registry.challenge import Challenge

_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403


_SHOWN = {
    200: Shown.YES,
    401: Shown.WITHHELD,
    403: Shown.WITHHELD,
    404: Shown.MISSING,
    412: Shown.REFUSED,
}


def ask_anonymously(
    address: Address, repository: str, reference: str, connection: Connection | None = None
) -> AnonymousAnswer:
    """Ask for the image as a runtime without a login would, by the scheme of the address, and then by the other one.

    `reference` is a tag or digest. At most seven questions, none with a login.
    """
    client = HttpClient(connection or Connection(attempts=1))
    if address.is_docker_hub and "/" not in repository:
        repository = f"library/{repository}"  # docker expands short names this way
    first: Problem | None = None
    for scheme in dict.fromkeys((address.scheme, "https", "http")):
        found = replace(address, scheme=scheme)
        answer = _find_registry(client, found)
        if not isinstance(answer, Problem):
            return _ask_for_image(client, found, answer, repository, reference)
        first = first or answer
    return AnonymousAnswer(problem=first)


def _find_registry(client: HttpClient, address: Address) -> Answer | Problem:
    """Return the answer of a registry to /v2/, or why the server is not one."""
    base = f"{address.url}/v2/"
    answer = client.request("GET", base)
    if isinstance(answer, Problem):
        return answer
    if answer.status == _UNAUTHORIZED or (answer.status == _OK and is_registry(answer)):
        return answer
    return describe_unexpected(answer, base)


def _ask_for_image(
    client: HttpClient, address: Address, base: Answer, repository: str, reference: str
) -> AnonymousAnswer:
    found = AnonymousAnswer(scheme=address.scheme)
    token = _request_token(client, address, parse_challenges(base.headers.get_list("www-authenticate")), repository)
    if isinstance(token, Problem):
        return replace(found, problem=token)
    url = build_image_url(address, repository, reference)
    image = format_image(address, repository, reference)
    answer = client.request("GET", url, authorization=token, accept=MANIFEST_TYPES, name=f"the manifest of {image}")
    if isinstance(answer, Problem):
        return replace(found, problem=answer)
    shown = _SHOWN.get(answer.status)
    if shown is None:
        return replace(found, problem=describe_unexpected(answer, url, is_known=True))
    return replace(found, shown=shown, words="" if shown is Shown.YES else answer.reason)


def _request_token(
    client: HttpClient, address: Address, challenges: dict[str, Challenge], repository: str
) -> Sensitive | Problem | None:
    """Return an anonymous token, None if the registry names no token service that gives one."""
    challenge = challenges.get("bearer")
    if challenge is None:
        return None
    problem, _ = check_realm(address, challenge.realm)
    if problem:
        return problem
    query = urlencode({"service": challenge.service, "scope": f"repository:{repository}:pull"})
    url = f"{challenge.realm}{'&' if urlsplit(challenge.realm).query else '?'}{query}"
    answer = client.request("GET", url, name="the token service")
    if isinstance(answer, Problem):
        return answer
    if answer.status in {_UNAUTHORIZED, _FORBIDDEN}:
        return None
    if answer.status != _OK:
        return describe_unexpected(answer, challenge.realm, is_known=True)
    token = answer.read_member("token") or answer.read_member("access_token")
    return Sensitive(f"Bearer {token}") if token else None
