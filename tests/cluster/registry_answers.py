"""Stand-ins for registries that give the answers of a test, and checks of a login there."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.registry.http import Connection
from harbor_agent.registry.validate import validate
from tests.cluster.answering import Reply, answering

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.errors import Problem
    from harbor_agent.registry.validate import Validation
    from tests.cluster.answering import Answerer


LOGIN = Credentials(username="u", password=Sensitive("canary"))

BASIC = "Basic " + base64.b64encode(b"u:canary").decode()

HARBOR = Reply(
    status=401, headers={"WWW-Authenticate": 'Bearer realm="http://127.0.0.1:{port}/token",service="harbor-registry"'}
)

TOKEN = Reply(body=b'{"token":"ok"}')


def errors(message: str, code: str = "DENIED") -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def by_token(reply: Reply, otherwise: Reply = HARBOR) -> Answerer:
    return lambda _, authorization: reply if authorization == "Bearer ok" else otherwise


def by_login(reply: Reply, refusal: Reply) -> Answerer:
    return lambda _, authorization: reply if authorization == BASIC else refusal


def ask(replies: Mapping[str, Reply | Answerer], image: str = "", connection: Connection | None = None) -> Validation:
    repository, _, tag = image.partition(":")
    with answering(replies) as server:
        address = Address.parse(f"http://127.0.0.1:{server.port}")
        return validate(
            address, LOGIN, repository=repository or None, reference=tag or None, connection=connection or Connection()
        )


def ask_harbor(
    manifest: Reply | Answerer, *, image: str = "library/pause:3.9", connection: Connection | None = None
) -> Problem:
    replies = {"/v2/": by_token(Reply(body=b"{}")), "/token": TOKEN, "/v2/library/pause/manifests/3.9": manifest}
    problem = ask(replies, image, connection).problem
    assert problem
    assert "canary" not in str(problem)
    return problem


def ask_first(reply: Reply) -> Problem:
    problem = ask({"/v2/": reply}).problem
    assert problem
    return problem
