"""`workloads scan` with kinds of other projects: a known one, and one whose schema shows a pod template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import jsonschema
import pytest

from harbor_agent.kubernetes.workloads import list_workloads
from tests.cluster.test_workloads import SCHEMA, scan
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.apiserver import RunningApiServer

pytestmark = pytest.mark.needs("apiserver")

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
POD = {"containers": [{"name": "c", "image": "192.168.0.99/a"}], "imagePullSecrets": [{"name": "harbor-pull"}]}
ANYTHING: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
CONTAINERS = {"type": "array", "items": {"type": "object", "properties": {"image": {"type": "string"}}} | ANYTHING}
PART = {"type": "object", "properties": {"spec": ANYTHING | {"properties": {"containers": CONTAINERS}}}}
PARTS = {"type": "array", "items": {"type": "object", "properties": {"pod": PART}}}
WIDGET = {"type": "object", "properties": {"parts": PARTS}}


def define(apiserver: RunningApiServer, group: str, kind: str, spec: dict[str, Any]) -> str:
    """Install a kind; return the path of its objects in all namespaces, once the server has it."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "properties": {"spec": spec}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    definition = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    apiserver.ask("POST", DEFINITIONS, {"metadata": {"name": f"{plural}.{group}"}, "spec": definition})

    def is_served() -> bool:
        found = apiserver.ask("GET", f"{DEFINITIONS}/{plural}.{group}")
        conditions = found.get("status", {}).get("conditions") or []
        return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

    wait_until(is_served, f"{kind} is served", seconds=30)
    return f"/apis/{group}/v1"


@pytest.fixture(scope="module")
def kinds(apiserver: RunningApiServer) -> Iterator[dict[str, str]]:
    """The paths of a known kind, of one that only its schema describes, and of one without a schema."""
    yield {
        "Rollout": define(apiserver, "argoproj.io", "Rollout", ANYTHING),
        "Widget": define(apiserver, "example.org", "Widget", WIDGET),
        "Blob": define(apiserver, "example.net", "Blob", ANYTHING),
    }
    for name in ("rollouts.argoproj.io", "widgets.example.org", "blobs.example.net"):
        apiserver.ask("DELETE", f"{DEFINITIONS}/{name}")


def create(apiserver: RunningApiServer, path: str, namespace: str, kind: str, spec: dict[str, Any]) -> None:
    version = path.removeprefix("/apis/")
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, "spec": spec}

    def is_created() -> bool:
        try:
            apiserver.ask("POST", f"{path}/namespaces/{namespace}/{kind.lower()}s", body)
        except HTTPError as error:
            if error.code != 404:  # it is: not served yet
                raise
            return False
        return True

    wait_until(is_created, f"the {kind} is created", seconds=30)


@pytest.mark.field("c17")
def test_objects_of_other_projects_are_listed_and_keep_their_secrets(
    apiserver: RunningApiServer, namespace: str, kinds: dict[str, str]
) -> None:
    create(apiserver, kinds["Rollout"], namespace, "Rollout", {"template": {"spec": POD}})
    create(apiserver, kinds["Widget"], namespace, "Widget", {"parts": [{"pod": {"spec": POD}}]})
    create(apiserver, kinds["Blob"], namespace, "Blob", {"template": {"spec": POD}})
    ran = scan(apiserver, "-n", namespace, "-o", "json")
    document = json.loads(ran.stdout)
    jsonschema.validate(document, SCHEMA)
    assert (ran.returncode, document["warnings"]) == (0, [])
    assert [(one["group"], one["kind"], one["status"], one["pull_secrets"]) for one in document["workloads"]] == [
        ("argoproj.io", "Rollout", "kept", ["harbor-pull"]),
        ("example.org", "Widget", "kept", ["harbor-pull"]),
    ]


@pytest.mark.usefixtures("kinds")
def test_kinds_that_may_not_be_read_are_named_and_do_not_fail_the_scan(
    apiserver: RunningApiServer, namespace: str
) -> None:
    for resource in ("deployments", "statefulsets", "daemonsets", "cronjobs"):
        apiserver.grant(namespace, resource, ["list"], group="batch" if resource == "cronjobs" else "apps")
    kubeconfig = str(apiserver.kubeconfig("limited"))
    wait_until(lambda: not list_workloads(kubeconfig, None, (namespace,)).problems, "the rights are there", seconds=20)
    ran = scan(apiserver, "-n", namespace, user="limited")
    assert ran.returncode == 0
    assert "not allowed to list customresourcedefinitions" in ran.stderr
    assert "not scanned: rollouts.argoproj.io: limited is not allowed to list rollouts.argoproj.io" in ran.stderr
    assert "[kinds-not-scanned]" in ran.stderr
