"""Why a pod waits for its image, as a real API server has it: statuses and events, secrets, missing rights."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.apiserver import RunningApiServer
    from tests.lab.registry import RunningRegistry

pytestmark = pytest.mark.needs("apiserver")

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs/schemas/diagnosis-2.json").read_text())
PROGRAM = Path(sys.executable).parent / "harbor-agent"
IMAGE = "192.168.0.99/shop/web:1"
UNPACK = f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}"'
HEAD = 'failed to do request: Head "https://192.168.0.99/v2/shop/web/manifests/1"'
HTTP = f"{UNPACK}: {HEAD}: http: server gave HTTP response to HTTPS client"
DENIED = f"{UNPACK}: pull access denied, repository does not exist or may require authorization"
PASSWORD = "Cha0tic"


def diagnose(
    apiserver: RunningApiServer, *arguments: str, user: str = "admin"
) -> tuple[subprocess.CompletedProcess[str], dict]:
    ran = subprocess.run(
        [str(PROGRAM), "diagnose", *arguments, "-o", "json"],
        env=os.environ | {"HOME": str(apiserver.directory), "KUBECONFIG": str(apiserver.kubeconfig(user))},
        cwd=apiserver.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    document = json.loads(ran.stdout)
    assert PASSWORD not in ran.stdout + ran.stderr
    return ran, document


def create_pod(apiserver: RunningApiServer, namespace: str, name: str, **spec: object) -> dict:
    containers = [{"name": "app", "image": IMAGE}]
    manifest = {"metadata": {"name": name}, "spec": {"nodeName": "node7", "containers": containers} | spec}
    return apiserver.ask("POST", f"/api/v1/namespaces/{namespace}/pods", manifest)


def report_status(apiserver: RunningApiServer, pod: dict, reason: str, message: str) -> None:
    """Write the status as kubelet does."""
    waiting = {"name": "app", "image": IMAGE, "imageID": "", "ready": False, "restartCount": 0}
    waiting["state"] = {"waiting": {"reason": reason, "message": message}}
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/status"
    document = {"status": {"containerStatuses": [waiting]}}
    apiserver.ask("PATCH", path, document, kind="application/strategic-merge-patch+json")


def report_event(apiserver: RunningApiServer, pod: dict, message: str, minute: int, path: str) -> None:
    metadata = pod["metadata"]
    about = {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}
    event = {
        "metadata": {"generateName": "web."},
        "involvedObject": about | ({"fieldPath": path} if path else {}),
        "reason": "Failed",
        "type": "Warning",
        "message": message,
        "lastTimestamp": f"2026-11-30T10:{minute:02}:00Z",
    }
    apiserver.ask("POST", f"/api/v1/namespaces/{metadata['namespace']}/events", event)


def create_secret(apiserver: RunningApiServer, namespace: str, name: str, host: str) -> None:
    login = {"username": "robot$shop", "password": PASSWORD, "auth": base64.b64encode(PASSWORD.encode()).decode()}
    payload = base64.b64encode(json.dumps({"auths": {host: login}}).encode()).decode()
    document = {"metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson"}
    apiserver.ask(
        "POST", f"/api/v1/namespaces/{namespace}/secrets", document | {"data": {".dockerconfigjson": payload}}
    )


def test_the_cause_is_in_the_newest_event_of_the_container(apiserver: RunningApiServer, namespace: str) -> None:
    pod = create_pod(apiserver, namespace, "web")
    report_status(apiserver, pod, "ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')
    place = "spec.containers{app}"
    report_event(apiserver, pod, f'Failed to pull image "{IMAGE}": {UNPACK}: {IMAGE}: not found', 1, place)
    report_event(apiserver, pod, f'Failed to pull image "{IMAGE}": {HTTP}', 2, place)
    report_event(apiserver, pod, "Error: ErrImagePull", 3, place)
    report_event(apiserver, pod, 'MountVolume.SetUp failed for volume "v": secret "v" not found', 4, "")
    ran, document = diagnose(apiserver, f"{namespace}/web")
    jsonschema.validate(document, SCHEMA)
    (found,) = document["diagnoses"]
    assert (ran.returncode, document["subject"]) == (1, f"{namespace}/web")
    assert (found["code"], found["container"], found["node"]) == ("pull-insecure-refused", "app", "node7")
    assert (found["image"], found["registry"]) == (IMAGE, "192.168.0.99")
    assert "--limit node7" in found["hint"]


def test_a_refused_login_is_compared_with_the_secrets(apiserver: RunningApiServer, namespace: str) -> None:
    create_secret(apiserver, namespace, "other", "harbor.lan")
    create_secret(apiserver, namespace, "right", "http://192.168.0.99")
    for name, secrets in (("without", ["gone", "other"]), ("with", ["right"])):
        pod = create_pod(apiserver, namespace, name, imagePullSecrets=[{"name": secret} for secret in secrets])
        report_status(apiserver, pod, "ErrImagePull", DENIED)
    _, without = diagnose(apiserver, "without", "-n", namespace)
    assert without["diagnoses"][0]["code"] == "pod-without-login"
    assert without["diagnoses"][0]["facts"] == [
        "secret gone does not exist",
        "secret other has a login for harbor.lan only, none for 192.168.0.99",
    ]
    _, with_login = diagnose(apiserver, "with", "-n", namespace)
    assert with_login["diagnoses"][0]["code"] == "pull-unauthorized"
    assert with_login["diagnoses"][0]["facts"] == ["secret right has the login of user 'robot$shop' for 192.168.0.99"]


def test_missing_rights_are_named_and_the_rest_is_said(
    apiserver: RunningApiServer, namespace: str, grant: Callable[..., None]
) -> None:
    pod = create_pod(apiserver, namespace, "web", imagePullSecrets=[{"name": "right"}])
    report_status(apiserver, pod, "ErrImagePull", DENIED)
    ran, document = diagnose(apiserver, "web", "-n", namespace, user="limited")
    assert (ran.returncode, document["error"]["code"]) == (1, "cluster-forbidden")
    grant("pods", "get")
    ran, document = diagnose(apiserver, "web", "-n", namespace, user="limited")
    assert (ran.returncode, document["diagnoses"][0]["code"]) == (1, "pull-unauthorized")
    assert [one["code"] for one in document["warnings"]] == ["cluster-forbidden", "cluster-forbidden"]


def test_a_pull_that_kubelet_does_not_try(apiserver: RunningApiServer, namespace: str) -> None:
    apiserver.ask(
        "POST",
        f"/api/v1/namespaces/{namespace}/pods",
        {"metadata": {"name": "homeless"}, "spec": {"containers": [{"name": "app", "image": IMAGE}]}},
    )
    ran, document = diagnose(apiserver, f"{namespace}/homeless")
    assert (ran.returncode, document["diagnoses"][0]["code"]) == (1, "pod-not-scheduled")
    pod = create_pod(apiserver, namespace, "never")
    report_status(apiserver, pod, "ContainerCreating", "")
    ran, document = diagnose(apiserver, f"{namespace}/never")
    assert (ran.returncode, document["diagnoses"][0]["status"]) == (0, "waiting")
    report_status(
        apiserver, pod, "ErrImageNeverPull", f'Container image "{IMAGE}" is not present with pull policy of Never'
    )
    ran, document = diagnose(apiserver, f"{namespace}/never")
    assert (ran.returncode, document["diagnoses"][0]["code"]) == (1, "pod-pull-impossible")
    report_status(apiserver, pod, "ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')
    ran, document = diagnose(apiserver, f"{namespace}/never")
    assert (ran.returncode, document["diagnoses"][0]["code"]) == (1, "diagnosis-unclear")


def test_a_pod_that_has_its_image_and_one_that_does_not_exist(apiserver: RunningApiServer, namespace: str) -> None:
    pod = create_pod(apiserver, namespace, "web")
    report_status(apiserver, pod, "CrashLoopBackOff", "back-off 10s restarting failed container")
    ran, document = diagnose(apiserver, f"{namespace}/web")
    assert (ran.returncode, document["diagnoses"][0]["status"]) == (0, "fine")
    ran, document = diagnose(apiserver, f"{namespace}/gone")
    assert (ran.returncode, document["error"]["code"]) == (1, "cluster-not-found")


def test_a_login_that_the_registry_rejects_is_the_cause_and_no_node_tries_it(
    apiserver: RunningApiServer, harbor: RunningRegistry
) -> None:
    inventory, password = apiserver.directory / "inventory.ini", apiserver.directory / "password"
    inventory.write_text("node1 ansible_host=127.0.0.1 ansible_port=1\n")
    password.write_text(PASSWORD)
    login = ("--username", "robot$shop+puller", "--password-file", str(password))
    ran, document = diagnose(apiserver, f"{harbor.entry}/shop/web:1", "-i", str(inventory), *login)
    jsonschema.validate(document, SCHEMA)
    (found,) = document["diagnoses"]
    assert (ran.returncode, found["status"], found["code"]) == (1, "failed", "registry-credentials-wrong")
