"""Annotated manifests as a real API server accepts them, and live workloads that would lose their pull secrets."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

from harbor_agent.errors import AgentError
from harbor_agent.kubernetes.workloads import list_workloads
from harbor_agent.model.workloads.template import PULL_SECRETS_ANNOTATION
from harbor_agent.planning.secrets.manifests import AnnotatedManifest, AnnotationSpec, annotate
from tests.cluster.answering import free_port
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.lab.apiserver import RunningApiServer

pytestmark = pytest.mark.needs("apiserver")

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs/schemas/workloads-2.json").read_text())
PROGRAMS = Path(sys.executable).parent
NUMBERS = itertools.count(1)
POD = """\
spec:
  # what runs
  containers:
  - {name: web, image: 192.168.0.99/shop/web:1}
  initContainers:
  - name: before
    image: busybox
"""
CONTROLLER = f"""\
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata:
      labels: {{app: web}}
{"".join(f"    {line}" for line in POD.splitlines(keepends=True))}"""
JOB = f"""\
spec:
  template:
{"".join(f"    {line}" for line in POD.splitlines(keepends=True))}      restartPolicy: Never
"""
CRON_JOB = f"""\
spec:
  schedule: "0 3 * * *" # at night
  jobTemplate:
{"".join(f"    {line}" for line in JOB.splitlines(keepends=True))}"""
# By kind: version, plural, the manifest's rest, and the way to the pod template.
KINDS = {
    "Pod": ("v1", "pods", POD, ()),
    "Deployment": ("apps/v1", "deployments", CONTROLLER, ("spec", "template")),
    "StatefulSet": ("apps/v1", "statefulsets", CONTROLLER, ("spec", "template")),
    "DaemonSet": ("apps/v1", "daemonsets", CONTROLLER, ("spec", "template")),
    "ReplicaSet": ("apps/v1", "replicasets", CONTROLLER, ("spec", "template")),
    "Job": ("batch/v1", "jobs", JOB, ("spec", "template")),
    "CronJob": ("batch/v1beta1", "cronjobs", CRON_JOB, ("spec", "jobTemplate", "spec", "template")),
}
LISTED = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")


def path_of(kind: str, namespace: str) -> str:
    version, plural, _, _ = KINDS[kind]
    base = f"/api/{version}" if version == "v1" else f"/apis/{version}"
    return f"{base}/namespaces/{namespace}/{plural}"


def manifest(kind: str, name: str = "web") -> str:
    version, _, rest, _ = KINDS[kind]
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}} # mine\n{rest}"


def with_secret(text: str, secret: str = "harbor-pull") -> str:
    result = annotate("f.yaml", text, AnnotationSpec(secret=secret))
    assert isinstance(result, AnnotatedManifest)
    return result.text


def create(apiserver: RunningApiServer, namespace: str, kind: str, text: str) -> None:
    apiserver.ask("POST", path_of(kind, namespace), yaml.safe_load(text))


def environment_of(apiserver: RunningApiServer, user: str = "admin") -> dict[str, str]:
    kubeconfig = str(apiserver.kubeconfig(user))
    path = f"{PROGRAMS}:{os.environ['PATH']}"
    return os.environ | {"HOME": str(apiserver.directory), "KUBECONFIG": kubeconfig, "PATH": path}


def scan(apiserver: RunningApiServer, *arguments: str, user: str = "admin") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAMS / "harbor-agent"), "workloads", "scan", *arguments],
        env=environment_of(apiserver, user),
        cwd=apiserver.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_server_takes_what_was_annotated_and_holds_both(
    apiserver: RunningApiServer, namespace: str, kind: str
) -> None:
    document = yaml.safe_load(with_secret(manifest(kind)))
    held = apiserver.ask("POST", f"{path_of(kind, namespace)}?dryRun=All", document)
    for key in KINDS[kind][3]:
        held = held[key]
    assert held["spec"]["imagePullSecrets"] == [{"name": "harbor-pull"}]
    entries = json.loads(held["metadata"]["annotations"][PULL_SECRETS_ANNOTATION])
    assert entries == {"web": "harbor-pull", "before": "harbor-pull"}


class TestScan:
    def test_what_would_lose_its_secret_is_listed_with_the_way_out(
        self, apiserver: RunningApiServer, namespace: str
    ) -> None:
        for kind in LISTED:
            whole = with_secret(manifest(kind, f"kept-{kind.lower()}"))
            create(apiserver, namespace, kind, whole)
            bare = whole.replace("kept-", "bare-").replace(PULL_SECRETS_ANNOTATION, "example.org/other")
            create(apiserver, namespace, kind, bare)
        create(apiserver, namespace, "Deployment", manifest("Deployment", "without"))
        ran = scan(apiserver, "-n", namespace, "-o", "json")
        document = json.loads(ran.stdout)
        jsonschema.validate(document, SCHEMA)
        assert (ran.returncode, document["exit_code"], ran.stderr) == (3, 3, "")
        assert document["summary"] == {"kept": 4, "several": 0, "incomplete": 4}
        assert {one["kind"] for one in document["workloads"]} == set(LISTED)
        for one in document["workloads"]:
            lost = one["name"].startswith("bare-")
            assert one["status"] == ("incomplete" if lost else "kept")
            assert one["missing"] == (["web", "before"] if lost else [])
            assert one["dropped"] == (["harbor-pull"] if lost else [])
            assert not lost or f"kubectl -n {namespace} get" in one["hint"]
        text = scan(apiserver, "-n", namespace)
        assert text.returncode == 3
        assert f"Deployment {namespace}/bare-deployment: incomplete\n" in text.stdout
        assert text.stdout.endswith("Workloads with pull secrets: 4 kept, 0 several, 4 incomplete\n")

    @pytest.mark.needs("kubectl")
    def test_the_way_out_that_is_shown_is_one(self, apiserver: RunningApiServer, namespace: str) -> None:
        for kind in LISTED:
            text = with_secret(manifest(kind)).replace(PULL_SECRETS_ANNOTATION, "example.org/other")
            create(apiserver, namespace, kind, text)
        ran = scan(apiserver, "-n", namespace, "-o", "json")
        for one in json.loads(ran.stdout)["workloads"]:
            shown = one["hint"].partition("restarts its pods: ")[2]
            assert shown.startswith("kubectl ")
            done = subprocess.run(
                ["bash", "-c", shown], env=environment_of(apiserver), capture_output=True, check=False
            )
            assert b"replaced" in done.stdout, done.stderr
        again = scan(apiserver, "-n", namespace)
        assert (again.returncode, again.stdout.count(": kept\n")) == (0, len(LISTED))

    def test_several_secrets_are_told_and_nothing_is_pending(self, apiserver: RunningApiServer, namespace: str) -> None:
        text = with_secret(with_secret(manifest("Deployment")), "other")
        create(apiserver, namespace, "Deployment", text)
        ran = scan(apiserver, "-n", namespace, "-o", "json")
        (one,) = json.loads(ran.stdout)["workloads"]
        assert ran.returncode == 0
        assert (one["status"], one["dropped"], one["code"]) == ("several", ["other"], "pull-secrets-several")

    def test_all_namespaces_are_looked_at_where_none_is_named(
        self, apiserver: RunningApiServer, namespace: str
    ) -> None:
        name = f"w{next(NUMBERS)}"
        create(apiserver, namespace, "DaemonSet", with_secret(manifest("DaemonSet", name)))
        found = list_workloads(str(apiserver.kubeconfig()), None, ())
        assert (namespace, name) in {(one.namespace, one.name) for one in found.workloads}
        assert found.problems == ()

    def test_a_right_that_is_missing_is_named_for_each_namespace(
        self, apiserver: RunningApiServer, namespace: str
    ) -> None:
        other = apiserver.create_namespace(f"{namespace}-other")
        ran = scan(apiserver, "-n", namespace, "-n", other, "-o", "json", user="limited")
        warnings = [one for one in json.loads(ran.stdout)["warnings"] if one["code"] == "cluster-forbidden"]
        jsonschema.validate(json.loads(ran.stdout), SCHEMA)
        assert ran.returncode == 1
        assert [warning["message"] for warning in warnings] == [
            f"limited is not allowed to list deployments, statefulsets, daemonsets, cronjobs in namespace {space}"
            for space in (namespace, other)
        ]
        for manifest_text, space in zip((warning["hint"] for warning in warnings), (namespace, other), strict=True):
            role, binding = yaml.safe_load_all(manifest_text.partition("<<'END'\n")[2].removesuffix("END"))
            base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space}"
            apiserver.ask("POST", f"{base}/roles", role)
            apiserver.ask("POST", f"{base}/rolebindings", binding)
        kubeconfig = str(apiserver.kubeconfig("limited"))
        wait_until(
            lambda: list_workloads(kubeconfig, None, (namespace, other)).problems == (),
            "the rights are there",
            seconds=20,
        )

    def test_a_cluster_that_does_not_answer_ends_it(self, apiserver: RunningApiServer, tmp_path: Path) -> None:
        text = apiserver.kubeconfig().read_text().replace(str(apiserver.port), str(free_port()))
        (tmp_path / "kubeconfig").write_text(text)
        with pytest.raises(AgentError) as caught:
            list_workloads(str(tmp_path / "kubeconfig"), None, ())
        assert caught.value.problem.code == "cluster-unreachable"
