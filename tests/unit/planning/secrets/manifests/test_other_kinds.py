"""Pod templates of kinds of other projects: known ones are done, others are listed, and done if that is requested."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
import yaml

from harbor_agent.errors import Problem
from harbor_agent.model.address import Address
from harbor_agent.model.workloads.kinds import ANY, CORE_GROUPS, find_template_paths, list_custom_kinds
from harbor_agent.model.workloads.template import PULL_SECRETS_ANNOTATION
from harbor_agent.planning.secrets.manifests import AnnotatedManifest, AnnotationSpec, annotate

CONTAINER = {"name": "c", "image": "192.168.0.99/shop/api:1"}
POD = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}
CUSTOM = [(group, kind) for group, kinds in list_custom_kinds().items() for kind in kinds]
CORE = [("v1", "Pod"), ("v1", "PodTemplate"), ("v1", "ReplicationController"), ("extensions/v1beta1", "DaemonSet")]
SEVERAL = """\
apiVersion: kubeflow.org/v1
kind: PyTorchJob
metadata: {name: train, namespace: demo}
spec:
  pytorchReplicaSpecs:
    Master:
      replicas: 1
      template: {spec: {containers: [{name: c, image: h.lan/a}]}}
    Worker: # many
      replicas: 4
      template:
        spec:
          containers:
          - image: quay.io/b
            name: c
"""
UNKNOWN = """\
# comments stay
apiVersion: example.org/v1
kind: Widget
metadata:
  name: one
  namespace: demo
spec:
  parts:
  - podTemplate:
      spec:
        containers:
        - name: c
          image: 192.168.0.99/shop/api:1
"""
WORKFLOW = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hello-}
spec:
  templates:
  - name: main
    container: {image: 192.168.0.99/shop/api:1}
"""


def done(text: str, *registries: str, all_kinds: bool = False) -> AnnotatedManifest:
    addresses = tuple(Address.parse(registry) for registry in registries)
    result = annotate("f.yaml", text, AnnotationSpec(secret="pull", registries=addresses, all_kinds=all_kinds))
    assert isinstance(result, AnnotatedManifest)
    return result


def nested(path: tuple[str, ...]) -> object:
    """A value with a pod template at a path; ANY is a list of one."""
    if not path:
        return deepcopy(POD)
    if path[0] == ANY:
        return [nested(path[1:])]
    return {path[0]: nested(path[1:])}


def merge(first: dict, second: dict) -> dict:
    shared = {
        key: merge(first[key], second[key]) for key in first.keys() & second.keys() if isinstance(first[key], dict)
    }
    return first | second | shared


def object_of(version: str, kind: str) -> dict:
    group = version.rpartition("/")[0]
    document = {"apiVersion": version, "kind": kind, "metadata": {"name": "one"}}
    for path in find_template_paths(group, kind) or ():
        document = merge(document, nested(path))
    return document


def count_secrets(value: object) -> int:
    """How often `imagePullSecrets: [{name: pull}]` is in a value."""
    if isinstance(value, list):
        return sum(map(count_secrets, value))
    if not isinstance(value, dict):
        return 0
    return (value.get("imagePullSecrets") == [{"name": "pull"}]) + sum(map(count_secrets, value.values()))


@pytest.mark.field("c17")
@pytest.mark.parametrize(("group", "kind"), CUSTOM)
@pytest.mark.parametrize("style", ["block", "flow", "json"])
def test_every_known_kind_gets_the_secret_in_each_template_and_no_annotation(group: str, kind: str, style: str) -> None:
    document = object_of(f"{group}/v1", kind)
    text = (
        json.dumps(document, indent=2)
        if style == "json"
        else yaml.safe_dump(document, default_flow_style=style == "flow")
    )
    result = done(text)
    assert count_secrets(yaml.safe_load(result.text)) == len(find_template_paths(group, kind) or ())
    assert PULL_SECRETS_ANNOTATION not in result.text
    assert result.warnings == ()
    assert done(result.text).text == result.text


@pytest.mark.field("c17")
@pytest.mark.parametrize(("version", "kind"), CORE)
def test_every_kind_of_kubernetes_gets_the_annotation_too(version: str, kind: str) -> None:
    result = done(yaml.safe_dump(object_of(version, kind)))
    assert count_secrets(yaml.safe_load(result.text)) == 1
    assert PULL_SECRETS_ANNOTATION in result.text


def test_the_custom_kinds_are_the_ones_without_the_core() -> None:
    assert len(CUSTOM) >= 25
    assert not CORE_GROUPS & set(list_custom_kinds())


def test_each_template_has_its_line_and_only_those_of_the_registry_are_changed() -> None:
    result = done(SEVERAL, "quay.io")
    assert [(one.line, one.path, one.is_changed) for one in result.workloads] == [
        (8, "spec.pytorchReplicaSpecs.Master.template", False),
        (11, "spec.pytorchReplicaSpecs.Worker.template", True),
    ]
    assert result.text == SEVERAL.replace(
        "        spec:\n          containers:\n",
        "        spec:\n          imagePullSecrets:\n          - name: pull\n          containers:\n",
    )


def test_a_container_of_knative_needs_no_name() -> None:
    text = (
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: web}\n"
        "spec:\n  template:\n    spec:\n      containers:\n      - image: 192.168.0.99/a\n"
    )
    added = "    spec:\n      imagePullSecrets:\n      - name: pull\n      containers:\n"
    assert done(text).text == text.replace("    spec:\n      containers:\n", added)


def test_a_stateful_set_of_openkruise_is_no_stateful_set_of_the_console() -> None:
    result = done(yaml.safe_dump(object_of("apps.kruise.io/v1beta1", "StatefulSet")))
    (one,) = result.workloads
    assert (one.after.group, one.after.is_custom, one.after.is_edited) == ("apps.kruise.io", True, False)


@pytest.mark.field("c17")
@pytest.mark.parametrize("text", [UNKNOWN, WORKFLOW])
def test_an_unknown_kind_is_left_alone_and_named(text: str) -> None:
    result = done(text)
    assert (result.text, result.workloads) == (text, ())
    (warning,) = result.warnings
    assert warning.code == "workload-left-alone"
    assert "f.yaml line " in warning.message
    assert "192.168.0.99/shop/api:1" in warning.message
    assert done(text, "quay.io").warnings == ()
    assert done(text, "192.168.0.99").warnings == (warning,)


def test_an_unknown_kind_gets_the_secret_if_that_is_requested() -> None:
    assert "--all-kinds" in done(UNKNOWN).warnings[0].hint
    result = done(UNKNOWN, all_kinds=True)
    assert result.warnings == ()
    assert [one.path for one in result.workloads] == ["spec.parts[0].podTemplate"]
    added = "      spec:\n        imagePullSecrets:\n        - name: pull\n        containers:\n"
    assert result.text == UNKNOWN.replace("      spec:\n        containers:\n", added)
    assert done(result.text, all_kinds=True).text == result.text


def test_what_has_no_pod_template_stays_named_with_all_kinds() -> None:
    result = done(WORKFLOW, all_kinds=True)
    assert result.text == WORKFLOW
    assert "--service-account" in result.warnings[0].hint


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    containers:\n    - image: x\n",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  containers:\n    type: array\n",
        "apiVersion: example.org/v1\nkind: Widget\nspec: {image: x}\n",
        "apiVersion: example.org/v1\nkind: Widget\nspec: &a {b: *a}\n",
        "containers:\n- image: x\n",
        "apiVersion: v1\nkind: Service\nspec: {template: 7}\n",
    ],
)
def test_what_starts_no_container_is_passed_over(text: str) -> None:
    result = done(text)
    assert (result.text, result.workloads, result.warnings) == (text, (), ())


@pytest.mark.parametrize("metadata", ["7", "[]", "{name: a, name: b}", '{name: "a\\u001b"}'])
def test_an_unknown_kind_refuses_no_file(metadata: str) -> None:
    text = f"apiVersion: e.org/v1\nkind: Widget\nmetadata: {metadata}\nspec: {{containers: [{{image: x}}]}}\n"
    assert len(done(text).warnings) == 1


def test_a_known_kind_that_no_server_accepts_is_refused() -> None:
    text = "apiVersion: batch.volcano.sh/v1alpha1\nkind: Job\nspec:\n  tasks: 7\n"
    result = annotate("f.yaml", text, AnnotationSpec(secret="pull"))
    assert isinstance(result, Problem)
    assert result.message == "f.yaml line 4: expected a mapping or a list"


class TestJsonStream:
    """kubectl accepts JSON documents in a row, as `kubectl get -o json` in a loop and jq print them."""

    ROLLOUT = object_of("argoproj.io/v1alpha1", "Rollout")
    POD = object_of("v1", "Pod")

    @pytest.mark.parametrize("between", ["\n", "", " ", "\r\n", "\n\n\t"])
    @pytest.mark.parametrize("indent", [None, 2, "\t"])
    def test_each_document_is_done_and_nothing_between_them_changes(
        self, between: str, indent: int | str | None
    ) -> None:
        documents = [self.ROLLOUT, {"kind": "ConfigMap", "data": {"a": "é\u2028"}}, self.POD, self.ROLLOUT]
        text = between.join(json.dumps(one, indent=indent, ensure_ascii=False) for one in documents) + between
        result = done(text)
        assert [one.after.kind for one in result.workloads] == ["Rollout", "Pod", "Rollout"]
        read, at = [], 0
        while result.text[at:].strip():
            at += len(result.text[at:]) - len(result.text[at:].lstrip())
            document, at = json.JSONDecoder().raw_decode(result.text, at)
            read.append(document)
        assert [count_secrets(document) for document in read] == [1, 0, 1, 1]
        assert read[1] == documents[1]
        assert done(result.text).text == result.text

    def test_lines_are_those_of_the_file(self) -> None:
        text = "\n".join(json.dumps(one, indent=2) for one in (self.ROLLOUT, self.POD))
        second = json.dumps(self.ROLLOUT, indent=2).count("\n") + 2
        assert [one.line for one in done(text).workloads] == [1, second]

    def test_a_fault_has_its_line(self) -> None:
        bad = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": "x"}]}}
        result = annotate("f", json.dumps(self.POD) + "\n\n" + json.dumps(bad), AnnotationSpec(secret="pull"))
        assert isinstance(result, Problem)
        assert result.message == "f line 3: expected 'name' with a text value"

    def test_a_document_that_is_nested_too_deeply_is_refused(self) -> None:
        result = annotate("f", "{}\n" + '{"a":' * 300 + "1" + "}" * 300, AnnotationSpec(secret="pull"))
        assert isinstance(result, Problem)
        assert result.message == "f line 2: nested too deeply"
