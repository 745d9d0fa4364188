"""Namespaces with labels, and requests for pull secrets in them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.engine.request.request import RegistryFlags, RunRequest
from harbor_agent.engine.request.resolve import Resolved, build_policy
from harbor_agent.engine.secrets.commands import (
    apply_pull_secrets,
)
from harbor_agent.planning.config.reader import Source
from harbor_agent.planning.config.schema import parse_settings
from tests.cluster.answering import free_port

if TYPE_CHECKING:
    from harbor_agent.engine.secrets.report import SecretsReport
    from harbor_agent.model.result import Outcome
    from tests.lab.apiserver import RunningApiServer


REGISTRY = f"127.0.0.1:{free_port()}"  # nobody answers there, so that logins are not judged

MERGE = "application/merge-patch+json"


def make_namespace(apiserver: RunningApiServer, name: str, team: str) -> str:
    apiserver.create_namespace(name, "default", "builder")
    apiserver.ask("PATCH", f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"team": team}}}, kind=MERGE)
    return name


def resolve(
    apiserver: RunningApiServer, secret: dict[str, object], *, password: str = "one", **flags: object
) -> Resolved:
    """A request with a settings file that asks for this secret."""
    file = Path(apiserver.directory / "password")
    file.write_text(password)
    credentials = {"username": "robot$p+n", "password_file": str(file)}
    return resolve_registries(apiserver, {"address": REGISTRY, "credentials": credentials, "secret": secret}, **flags)


def resolve_registries(apiserver: RunningApiServer, *registries: dict[str, object], **flags: object) -> Resolved:
    """A request with a settings file that lists these registries."""
    document = {"registries": registries, "kubeconfig": str(apiserver.kubeconfig())}
    request = RunRequest(flags=RegistryFlags(**flags))
    return Resolved(request=request, general=build_policy(parse_settings(document, Source(name="test")), request.flags))


def apply(apiserver: RunningApiServer, secret: dict[str, object], **more: object) -> SecretsReport:
    return apply_pull_secrets(resolve(apiserver, secret, **more))[0]


def places(report: SecretsReport) -> dict[str, Outcome]:
    return {item.result.namespace: item.result.outcome for item in report.items}


def codes(report: SecretsReport) -> set[str]:
    return {warning.code for warning in report.warnings if not warning.code.startswith("registry-")}


def password_in(apiserver: RunningApiServer, namespace: str) -> str:
    secret = apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/secrets/harbor-pull")
    document = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    return document["auths"][f"http://{REGISTRY}"]["password"]


def account(apiserver: RunningApiServer, namespace: str, name: str = "default") -> dict[str, object]:
    """A service account without what the server counts."""
    found = apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
    kept = {key: value for key, value in found["metadata"].items() if key in {"name", "labels", "annotations"}}
    return {"metadata": kept, "imagePullSecrets": found.get("imagePullSecrets", [])}
