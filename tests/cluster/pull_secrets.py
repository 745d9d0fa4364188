"""Pull secrets and service accounts of the tests, as the API server has them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.secret import SecretSpec
from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from tests.lab.apiserver import RunningApiServer


HARBOR = Address.parse("192.168.0.99")


def wanted(
    *, password: str = "canary-password", accounts: tuple[str, ...] = (), address: Address = HARBOR, name: str = "pull"
) -> SecretSpec:
    login = Credentials(username="robot$p+n", password=Sensitive(password), email="ops@example.org")
    return SecretSpec(name=name, address=address, credentials=login, service_accounts=accounts)


def secret_of(apiserver: RunningApiServer, namespace: str, name: str = "pull") -> dict:
    return apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")


def pull_secrets_of(apiserver: RunningApiServer, namespace: str, account: str = "default") -> list[str]:
    found = apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}")
    return [reference["name"] for reference in found.get("imagePullSecrets", [])]


def make_secret(apiserver: RunningApiServer, namespace: str, **members: object) -> None:
    metadata = {"name": "pull"} | members.pop("metadata", {})
    apiserver.ask("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": metadata} | members)


def payload(auths: dict[str, object]) -> dict[str, str]:
    return {".dockerconfigjson": base64.b64encode(json.dumps({"auths": auths}).encode()).decode()}
