"""Which workloads of a manifest get the secret, and which of their containers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.workloads.template import PULL_SECRETS_ANNOTATION
from tests.unit.planning.secrets.manifests.texts import HARBOR, annotated, pod

if TYPE_CHECKING:
    from harbor_agent.planning.secrets.manifests import AnnotatedManifest


@pytest.mark.parametrize(
    ("kind", "version", "way"),
    [
        ("Pod", "v1", ()),
        ("Deployment", "apps/v1", ("spec", "template")),
        ("Deployment", "extensions/v1beta1", ("spec", "template")),
        ("StatefulSet", "apps/v1", ("spec", "template")),
        ("DaemonSet", "apps/v1", ("spec", "template")),
        ("ReplicaSet", "apps/v1", ("spec", "template")),
        ("Job", "batch/v1", ("spec", "template")),
        ("CronJob", "batch/v1beta1", ("spec", "jobTemplate", "spec", "template")),
    ],
)
def test_every_kind_is_annotated_on_its_pod_template(kind: str, version: str, way: tuple[str, ...]) -> None:
    template: dict[str, object] = {"spec": {"initContainers": [{"name": "i"}], "containers": [{"name": "c"}]}}
    for key in reversed(way):
        template = {key: template}
    after = json.loads(annotated(json.dumps({"apiVersion": version, "kind": kind, **template})).text)
    for key in way:
        after = after[key]
    assert after["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    assert json.loads(after["metadata"]["annotations"][PULL_SECRETS_ANNOTATION]) == {"c": "pull", "i": "pull"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "---\n---\n# nothing\n",
        "a: b\na: c\n",
        "kind: ConfigMap\napiVersion: v1\ndata: {a: b, a: c}\nkind: ConfigMap\n",
        pod().replace("apps/v1", "apps.example.org/v1"),
        "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 2}\n",
        "apiVersion: apps/v1\nkind: Deployment\nspec: {template: }\n",
        "- apiVersion: v1\n  kind: Pod\n  spec: {containers: [{name: a}]}\n",
        "apiVersion: v1\nkind: List\nitems: null\n",
    ],
)
def test_what_is_no_workload_stays_as_it_is(text: str) -> None:
    result = annotated(text)
    assert (result.text, result.workloads) == (text, ())


def test_other_documents_and_what_they_share_stay() -> None:
    other = "kind: Other\nx: &x [1, 2] # mine\ny: *x\nz: {a: 1, a: 2}\n"
    text = f"---\n{other}--- # second\n{pod()}...\n---\n{other}"
    result = annotated(text)
    assert result.text == text.replace(pod(), annotated(pod()).text)
    assert [one.line for one in result.workloads] == [7]


class TestWhichContainers:
    SPEC = f"containers: [{{name: web, image: {HARBOR}/shop/web}}, {{name: side, image: busybox}}]"

    def entries(self, result: AnnotatedManifest) -> object:
        return json.loads(result.workloads[0].after.template.annotation or "null")

    def test_without_a_registry_it_is_all(self) -> None:
        assert self.entries(annotated(pod(spec=self.SPEC))) == {"web": "pull", "side": "pull"}

    def test_with_a_registry_it_is_those_whose_image_is_from_there(self) -> None:
        result = annotated(pod(spec=self.SPEC), HARBOR)
        assert self.entries(result) == {"web": "pull"}
        assert result.workloads[0].changed_containers == ("web",)
        (warning,) = result.workloads[0].warnings
        assert warning.code == "annotation-incomplete"
        assert "side" in warning.message

    @pytest.mark.parametrize("registry", [f"{HARBOR}:80", "harbor.lan", "busybox"])
    def test_where_no_image_is_from_there_nothing_is_touched(self, registry: str) -> None:
        text = pod(spec=self.SPEC)
        result = annotated(text, registry)
        assert result.text == text
        assert not result.workloads[0].is_changed

    def test_an_image_without_a_host_is_docker_hubs(self) -> None:
        assert self.entries(annotated(pod(spec=self.SPEC), "docker.io")) == {"side": "pull"}

    @pytest.mark.parametrize("kind", ["Job", "ReplicaSet"])
    def test_what_no_console_edits_has_nothing_to_lose(self, kind: str) -> None:
        text = (
            pod(spec=self.SPEC)
            .replace("Deployment", kind)
            .replace("apps/v1", "batch/v1" if kind == "Job" else "apps/v1")
        )
        (one,) = annotated(text, HARBOR).workloads
        assert one.is_changed
        assert one.warnings == ()

    def test_another_secret_stays_unless_the_registry_is_named(self) -> None:
        metadata = f'metadata: {{annotations: {{{PULL_SECRETS_ANNOTATION}: \'{{"web":"old","gone":"x"}}\'}}}}'
        text = pod(metadata=metadata, spec=f"imagePullSecrets: [{{name: old}}]\n{self.SPEC}")
        kept = annotated(text)
        assert self.entries(kept) == {"web": "old", "gone": "x", "side": "pull"}
        assert [warning.code for warning in kept.workloads[0].warnings] == ["pull-secrets-several"]
        moved = annotated(text, HARBOR, "busybox.example.org")
        assert self.entries(moved) == {"web": "pull", "gone": "x"}
        assert moved.workloads[0].after.template.pull_secrets == ("old", "pull")
