"""The manifests of a drift check are taken by the real API server as they are, and by the schemas of newer ones."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harbor_agent.engine.secrets.sync import apply_secret
from harbor_agent.kubernetes.cluster import open_cluster
from harbor_agent.model.result import Outcome
from tests.cluster.pull_secrets import pull_secrets_of, wanted
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.lab.apiserver import RunningApiServer

PLURALS = {
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "ConfigMap": "configmaps",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "NetworkPolicy": "networkpolicies",
    "CronJob": "cronjobs",
    "Job": "jobs",
}
ACCOUNT = "system:serviceaccount:harbor-agent:harbor-agent-drift"


def render(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """Return the objects for a check that needs most of all: names for pods, a login, a secret, a drain, a receiver."""
    (folder / "hosts").write_text("node1\n")
    (folder / "password").write_text("secret")
    registry = {
        "address": "harbor.lan",
        "resolve": {"address": "192.0.2.9"},
        "secret": {"namespaces": ["shop"], "service_accounts": ["default"]},
        "credentials": {"username": "u", "password_file": str(folder / "password")},
    }
    settings = {"registries": [registry], "kubeconfig": "/etc/harbor/kubeconfig", "rollout": {"drain": True}}
    settings["notify"] = [{"url_file": "/etc/harbor-agent/chat-url"}]
    (folder / "harbor-agent.yaml").write_text(json.dumps(settings))
    program = str(Path(sys.executable).with_name("harbor-agent"))
    argv = [program, "schedule", "install", "-i", "hosts", "--kubernetes", "--image", "harbor-agent:1", "--correct"]
    done = subprocess.run([*argv, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def create(apiserver: RunningApiServer, document: dict[str, Any]) -> dict[str, Any]:
    api, metadata = document["apiVersion"], document["metadata"]
    root = f"/apis/{api}" if "/" in api else f"/api/{api}"
    place = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return apiserver.ask("POST", f"{root}{place}/{PLURALS[document['kind']]}", document)


def is_kept(asked: object, kept: object) -> bool:
    """Whether the server kept all of it; it may add defaults."""
    if isinstance(asked, dict) and isinstance(kept, dict):
        return all(key in kept and is_kept(value, kept[key]) for key, value in asked.items())
    if isinstance(asked, list) and isinstance(kept, list):
        return len(asked) == len(kept) and all(map(is_kept, asked, kept))
    return asked == kept


@pytest.mark.needs("apiserver")
def test_the_api_server_keeps_all_of_it_and_grants_no_more(apiserver: RunningApiServer, tmp_path: Path) -> None:
    objects = render(tmp_path, "--kubeconfig", str(apiserver.kubeconfig()))
    assert objects[-1]["apiVersion"] == "batch/v1beta1"  # it is 1.20, and was asked
    apiserver.create_namespace("shop")
    for document in objects:
        assert is_kept(document, create(apiserver, document)), document["kind"]
    allowed = {
        ("kube-system", "coordination.k8s.io", "leases", "harbor-agent", "update"),
        ("kube-system", "", "configmaps", "coredns", "patch"),
        ("", "", "nodes", "", "list"),
        ("demo", "", "pods/eviction", "", "create"),
        *(("shop", "", "secrets", "harbor-pull", verb) for verb in ("get", "create", "patch")),
        ("shop", "", "serviceaccounts", "default", "patch"),
        ("shop", "", "serviceaccounts", "default", "get"),
    }
    refused = {
        ("kube-system", "coordination.k8s.io", "leases", "kube-scheduler", "update"),
        ("demo", "", "secrets", "harbor-pull", "get"),
        ("shop", "", "secrets", "another", "get"),
        ("shop", "", "secrets", "another", "create"),
        ("shop", "", "secrets", "", "create"),
        ("shop", "", "secrets", "harbor-pull", "delete"),
        ("shop", "", "serviceaccounts", "builder", "patch"),
        ("kube-system", "", "secrets", "", "list"),
        ("demo", "", "configmaps", "", "get"),
        ("demo", "", "pods", "", "create"),
        ("", "", "nodes", "", "delete"),
    }
    assert {right: _may(apiserver, *right) for right in allowed | refused} == {
        **dict.fromkeys(allowed, True),
        **dict.fromkeys(refused, False),
    }


@pytest.mark.needs("apiserver")
def test_the_printed_role_is_enough_to_write_the_secret_and_no_other(
    apiserver: RunningApiServer, namespace: str, tmp_path: Path
) -> None:
    (role,) = (one for one in render(tmp_path) if one["kind"] == "Role" and one["metadata"]["namespace"] == "shop")
    metadata = {"name": "printed", "namespace": namespace}
    create(apiserver, {**role, "metadata": metadata})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "printed"}
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "limited"}
    api = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata}
    create(apiserver, {**api, "roleRef": reference, "subjects": [user]})
    right = ("", "secrets", "harbor-pull", "create")
    wait_until(lambda: _may(apiserver, namespace, *right, user="limited"), "the role is in effect", seconds=20)
    with open_cluster(str(apiserver.kubeconfig("limited"))) as cluster:
        for password in ("first", "second"):
            spec = wanted(name="harbor-pull", password=password, accounts=("default",))
            written = apply_secret(cluster, spec, namespace)
            assert written.outcome is Outcome.CHANGED, written.problem
        other = apply_secret(cluster, wanted(name="another"), namespace)
    assert (other.outcome, other.problem and other.problem.code) == (Outcome.FAILED, "cluster-forbidden")
    assert pull_secrets_of(apiserver, namespace) == ["harbor-pull"]


@pytest.mark.needs("apiserver")
def test_the_kubeconfig_of_the_pod_is_read(apiserver: RunningApiServer, tmp_path: Path) -> None:
    (config_map,) = (one for one in render(tmp_path) if one["kind"] == "ConfigMap")
    mounted, text = "/var/run/secrets/kubernetes.io/serviceaccount", config_map["data"]["kubeconfig"]
    (tmp_path / "ca.crt").write_bytes(apiserver.authority)
    (tmp_path / "token").write_text(apiserver.tokens["admin"])
    file = tmp_path / "kubeconfig"
    file.write_text(text.replace(mounted, str(tmp_path)).replace("https://kubernetes.default.svc", apiserver.url))
    with open_cluster(str(file)) as cluster:
        assert str(cluster.read_version()).startswith("v1.20")


def _may(apiserver: RunningApiServer, *right: str, user: str = ACCOUNT) -> bool:
    namespace, group, resource, name, verb = right
    resource, _, sub = resource.partition("/")
    attributes = {"namespace": namespace, "group": group, "resource": resource, "subresource": sub, "verb": verb}
    review = {"spec": {"user": user, "resourceAttributes": attributes | {"name": name}}}
    return apiserver.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]


@pytest.mark.needs("kubernetes-validate")
@pytest.mark.parametrize("version", ["1.25", "1.30", "1.35"])
def test_newer_servers_would_take_them_too(tmp_path: Path, version: str) -> None:
    validator = importlib.import_module("kubernetes_validate")
    for document in render(tmp_path, "--kube-version", version):
        validator.validate(document, version, strict=True)


@pytest.mark.needs("apiserver")
def test_a_job_for_each_shard_is_kept_and_an_indexed_one_is_not(apiserver: RunningApiServer) -> None:
    guide = Path(__file__).resolve().parents[2] / "docs/guides/many-machines.md"
    job = yaml.safe_load(guide.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0])
    job["metadata"]["namespace"] = apiserver.create_namespace("jobs")
    assert is_kept(job, create(apiserver, job))
    indexed = {**job["spec"], "completionMode": "Indexed", "completions": 4, "parallelism": 4}
    kept = create(apiserver, {**job, "metadata": job["metadata"] | {"name": "indexed"}, "spec": indexed})
    # This is why `--shard auto/4` refuses a pod without JOB_COMPLETION_INDEX: here each pod would take all nodes.
    assert "completionMode" not in kept["spec"]
