"""A pull secret in manifests: just what is asked for is added, in the style of the text, and nothing else moves."""

from __future__ import annotations

import json
import textwrap

import pytest

from harbor_agent.errors import Problem
from harbor_agent.model.address import Address
from harbor_agent.model.workload import PULL_SECRETS_ANNOTATION, PodContainer, PodTemplate, Workload
from harbor_agent.planning.secrets.workloads import (
    AnnotatedManifest,
    AnnotationSpec,
    Retention,
    annotate,
    check_retention,
)

HARBOR = "192.168.0.99"


def attempt(text: str, *registries: str, secret: str = "pull") -> AnnotatedManifest | Problem:
    wish = AnnotationSpec(secret=secret, registries=tuple(Address.parse(registry) for registry in registries))
    return annotate("f.yaml", text, wish)


def done(text: str, *registries: str, secret: str = "pull") -> AnnotatedManifest:
    result = attempt(text, *registries, secret=secret)
    assert isinstance(result, AnnotatedManifest), result
    again = attempt(result.text, *registries, secret=secret)
    assert isinstance(again, AnnotatedManifest)
    assert again.text == result.text, "twice is as good as once"
    assert not any(one.changed for one in again.workloads)
    return result


def problem(text: str, *registries: str) -> Problem:
    result = attempt(text, *registries)
    assert isinstance(result, Problem)
    return result


def pod(*, metadata: str = "metadata: {}", spec: str = "containers: [{name: web}]") -> str:
    """A Deployment whose template has these lines, indented as they must be."""
    return (
        "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n"
        + textwrap.indent(f"{metadata}\nspec:\n{textwrap.indent(spec, '  ')}\n", "    ")
    )  # fmt: skip


ANNOTATED = f'metadata: {{annotations: {{{PULL_SECRETS_ANNOTATION}: \'{{"web":"pull"}}\'}}}}'
NAMED = "imagePullSecrets: [{name: pull}]\ncontainers: [{name: web}]"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("containers:\n- name: web", "imagePullSecrets:\n- name: pull\ncontainers:\n- name: web"),
        ("containers:\n  - name: web", "imagePullSecrets:\n  - name: pull\ncontainers:\n  - name: web"),
        ("# first\ncontainers: [{name: web}]",
         "imagePullSecrets:\n- name: pull\n# first\ncontainers: [{name: web}]"),
        ("imagePullSecrets: [] # none\ncontainers: [{name: web}]",
         "imagePullSecrets: [{name: pull}] # none\ncontainers: [{name: web}]"),
        ("imagePullSecrets: # none\ncontainers: [{name: web}]",
         "imagePullSecrets: # none\n- name: pull\ncontainers: [{name: web}]"),
        ("imagePullSecrets: null\ncontainers: [{name: web}]", NAMED),
        ("imagePullSecrets: ~\ncontainers: [{name: web}]", NAMED),
        ("imagePullSecrets: [{name: a}, ]\ncontainers: [{name: web}]",
         "imagePullSecrets: [{name: a}, {name: pull}, ]\ncontainers: [{name: web}]"),
        ("imagePullSecrets: [\n  {name: a}, # mine\n  ]\ncontainers: [{name: web}]",
         "imagePullSecrets: [\n  {name: a},\n  {name: pull}, # mine\n  ]\ncontainers: [{name: web}]"),
        ("imagePullSecrets:\n  -   name: a # mine\n  # theirs\n\ncontainers: [{name: web}]",
         "imagePullSecrets:\n  -   name: a # mine\n  -   name: pull\n  # theirs\n\ncontainers: [{name: web}]"),
        ("containers: [{name: web}]\nimagePullSecrets:\n- {name: a}",
         "containers: [{name: web}]\nimagePullSecrets:\n- {name: a}\n- name: pull"),
        ("imagePullSecrets:\n-\n  name: a\ncontainers: [{name: web}]",
         "imagePullSecrets:\n-\n  name: a\n- name: pull\ncontainers: [{name: web}]"),
        (NAMED, NAMED),
    ],
)  # fmt: skip
def test_the_secret_is_put_behind_the_others_in_the_style_of_the_text(before: str, after: str) -> None:
    assert done(pod(metadata=ANNOTATED, spec=before)).text == pod(metadata=ANNOTATED, spec=after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("metadata:\n  labels: {a: b}", "metadata:\n  annotations:\n    KEY: 'VALUE'\n  labels: {a: b}"),
        ("metadata:\n  # mine\n  labels: {a: b}",
         "metadata:\n  annotations:\n    KEY: 'VALUE'\n  # mine\n  labels: {a: b}"),
        ("metadata: # mine", "metadata: # mine\n  annotations:\n    KEY: 'VALUE'"),
        ("metadata: {}", "metadata: {annotations: {KEY: 'VALUE'}}"),
        ("metadata: {labels: {a: b}}", "metadata: {annotations: {KEY: 'VALUE'}, labels: {a: b}}"),
        ("metadata:\n  annotations:\n    # mine\n    a: b",
         "metadata:\n  annotations:\n    KEY: 'VALUE'\n    # mine\n    a: b"),
        ("metadata:\n  annotations: {}", "metadata:\n  annotations: {KEY: 'VALUE'}"),
        ("metadata:\n  annotations:", "metadata:\n  annotations:\n    KEY: 'VALUE'"),
        ("metadata: &unused\n  labels: {a: b}",
         "metadata: &unused\n  annotations:\n    KEY: 'VALUE'\n  labels: {a: b}"),
        ("metadata:\n  annotations:\n    KEY: '{}' # mine", "metadata:\n  annotations:\n    KEY: 'VALUE' # mine"),
        ("metadata:\n  annotations:\n    KEY: # mine", "metadata:\n  annotations:\n    KEY: 'VALUE' # mine"),
        ("metadata:\n  annotations:\n    KEY: ''", "metadata:\n  annotations:\n    KEY: 'VALUE'"),
        ('metadata:\n  annotations:\n    KEY: "{}"',
         'metadata:\n  annotations:\n    KEY: "{\\"web\\":\\"pull\\"}"'),
        ("metadata:\n  annotations:\n    KEY: >- # mine\n       {}\n\n    # theirs\n    a: b",
         "metadata:\n  annotations:\n    KEY: >- # mine\n       VALUE\n\n    # theirs\n    a: b"),
        ("metadata:\n  annotations:\n    KEY: |\n      {\n      }\n    a: b",
         "metadata:\n  annotations:\n    KEY: |\n      VALUE\n    a: b"),
    ],
)  # fmt: skip
def test_the_annotation_is_written_in_the_style_of_the_text(before: str, after: str) -> None:
    def filled(metadata: str) -> str:
        metadata = metadata.replace("KEY", PULL_SECRETS_ANNOTATION).replace("VALUE", '{"web":"pull"}')
        return pod(metadata=metadata, spec=NAMED)

    assert done(filled(before)).text == filled(after)


def test_a_template_without_metadata_gets_it() -> None:
    bare = pod(spec=NAMED).replace("    metadata: {}\n", "")
    assert done(bare).text == bare.replace(
        "  template:\n",
        f'  template:\n    metadata:\n      annotations:\n        {PULL_SECRETS_ANNOTATION}: \'{{"web":"pull"}}\'\n',
    )


def test_line_ends_a_mark_and_tabs_stay() -> None:
    text = "\ufeff" + pod(spec="containers:\n- name: web\t# tab").replace("\n", "\r\n")
    after = done(text).text
    assert after.startswith("\ufeffapiVersion")
    assert after.count("\r\n") == after.count("\n")
    assert "- name: web\t# tab\r\n" in after


def test_json_stays_json_and_keeps_its_layout() -> None:
    document = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "c"}]}}
        ],
    }
    text = json.dumps(document, indent="\t") + "\n"
    after = done(text.replace('"a"', '"\\ud83d\\ude00"')).text
    spec = json.loads(after)["items"][0]["spec"]
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert [line for line in text.splitlines()[-9:] if line not in after.splitlines()] == []
    assert '\t\t\t\t"imagePullSecrets": [{"name": "pull"}],\n' in after
    assert done('{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"c"}]}}').text.count("\n") == 0


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
    after = json.loads(done(json.dumps({"apiVersion": version, "kind": kind, **template})).text)
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
    result = done(text)
    assert (result.text, result.workloads) == (text, ())


def test_other_documents_and_what_they_share_stay() -> None:
    other = "kind: Other\nx: &x [1, 2] # mine\ny: *x\nz: {a: 1, a: 2}\n"
    text = f"---\n{other}--- # second\n{pod()}...\n---\n{other}"
    result = done(text)
    assert result.text == text.replace(pod(), done(pod()).text)
    assert [one.line for one in result.workloads] == [7]


class TestWhichContainers:
    SPEC = f"containers: [{{name: web, image: {HARBOR}/shop/web}}, {{name: side, image: busybox}}]"

    def entries(self, result: AnnotatedManifest) -> object:
        return json.loads(result.workloads[0].after.template.annotation or "null")

    def test_without_a_registry_it_is_all(self) -> None:
        assert self.entries(done(pod(spec=self.SPEC))) == {"web": "pull", "side": "pull"}

    def test_with_a_registry_it_is_those_whose_image_is_from_there(self) -> None:
        result = done(pod(spec=self.SPEC), HARBOR)
        assert self.entries(result) == {"web": "pull"}
        assert result.workloads[0].given == ("web",)
        (warning,) = result.workloads[0].warnings
        assert warning.code == "annotation-incomplete"
        assert "side" in warning.message

    @pytest.mark.parametrize("registry", [f"{HARBOR}:80", "harbor.lan", "busybox"])
    def test_where_no_image_is_from_there_nothing_is_touched(self, registry: str) -> None:
        text = pod(spec=self.SPEC)
        result = done(text, registry)
        assert result.text == text
        assert not result.workloads[0].changed

    def test_an_image_without_a_host_is_docker_hubs(self) -> None:
        assert self.entries(done(pod(spec=self.SPEC), "docker.io")) == {"side": "pull"}

    @pytest.mark.parametrize("kind", ["Job", "ReplicaSet"])
    def test_what_no_console_edits_has_nothing_to_lose(self, kind: str) -> None:
        text = (
            pod(spec=self.SPEC)
            .replace("Deployment", kind)
            .replace("apps/v1", "batch/v1" if kind == "Job" else "apps/v1")
        )
        (one,) = done(text, HARBOR).workloads
        assert one.changed
        assert one.warnings == ()

    def test_another_secret_stays_unless_the_registry_is_named(self) -> None:
        metadata = f'metadata: {{annotations: {{{PULL_SECRETS_ANNOTATION}: \'{{"web":"old","gone":"x"}}\'}}}}'
        text = pod(metadata=metadata, spec=f"imagePullSecrets: [{{name: old}}]\n{self.SPEC}")
        kept = done(text)
        assert self.entries(kept) == {"web": "old", "gone": "x", "side": "pull"}
        assert [warning.code for warning in kept.workloads[0].warnings] == ["pull-secrets-several"]
        moved = done(text, HARBOR, "busybox.example.org")
        assert self.entries(moved) == {"web": "pull", "gone": "x"}
        assert moved.workloads[0].after.template.pull_secrets == ("old", "pull")


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "line", "said"),
        [
            ("a: b\n\tc: d\n", 2, "not YAML"),
            ("a: 'b\n", 2, "not YAML"),
            ("a: b\x01\n", 1, "control character"),
            ("? {a: b}\n: c\n", 1, "a key is not text"),
            (pod(spec="containers: [{name: {{ .Values.name }}}]"), 7, "template's placeholder"),
            (pod(spec="{{- if .Values.web }}\ncontainers: [{name: web}]\n{{- end }}"), 7, "template's placeholder"),
            (pod(spec='{{ include "web" . }}\ncontainers: [{name: web}]'), 7, "template's placeholder"),
            (pod(spec="containers: [{image: web}]"), 7, "'name' should be here"),
            (pod(spec="containers: [{name: 1}]"), 7, "'name' should be here"),
            (pod(spec='containers: [{name: "\\e[2J"}]'), 7, "'name' should be here"),
            ('metadata: {name: "\\e[2J"}\n' + pod(), 1, "control characters"),
            (pod(spec="containers: {name: web}"), 7, "a list should be here"),
            (pod(metadata="metadata: [a]"), 5, "a mapping with 'annotations' should be here"),
            (pod(metadata=f"metadata: {{annotations: {{{PULL_SECRETS_ANNOTATION}: {{}}}}}}"), 5, "it lacks quotes"),
            ("[" * 100_000, 1, "nested too deeply"),
            ("- " * 1_000, 1, "nested too deeply"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_read_is_named_with_its_line(self, text: str, line: int, said: str) -> None:
        found = problem(text)
        assert found.code == "manifest-invalid"
        assert found.message.startswith(f"f.yaml line {line}: ")
        assert said in found.message

    def test_a_brace_elsewhere_is_not_to_blame(self) -> None:
        found = problem("a: |\n  {{ fine }}\n\n\nb: c\n\td: e\n")
        assert "not YAML" in found.message
        assert "helm" not in found.hint

    @pytest.mark.parametrize(
        ("text", "line", "said"),
        [
            (pod(spec="containers: [{name: web}]").replace("    spec:\n", "    spec: &p\n") + "x: *p\n", 6, "anchor"),
            ("x: &p {containers: [{name: web}]}\n" + pod().partition("    spec:\n")[0] + "    spec: *p\n", 7, "anchor"),
            (pod(metadata="metadata: &m\n  labels: {a: b}") + "x: *m\n", 5, "anchor"),
            ("x: &p {imagePullSecrets: [{name: a}]}\n" + pod(spec="<<: *p\ncontainers: [{name: web}]"), 8, "merge key"),
            (pod(spec="containers: [{name: web}]\ncontainers: [{name: web}]"), 8, "stands twice"),
            (pod() + "spec: {}\n", 8, "stands twice"),
            (pod(metadata=f"metadata: {{annotations: {{{PULL_SECRETS_ANNOTATION}: 'web=pull'}}}}"), 5, "in JSON"),
            (pod(metadata=f"metadata: {{annotations: {{{PULL_SECRETS_ANNOTATION}: '[1]'}}}}"), 5, "in JSON"),
            (pod(spec="imagePullSecrets:\n- # mine\n  name: a\ncontainers: [{name: web}]"), 9, "dash and its item"),
        ],
    )  # fmt: skip
    def test_where_an_edit_would_reach_further_the_line_is_named(self, text: str, line: int, said: str) -> None:
        found = problem(text)
        assert found.code == "manifest-not-editable", found
        assert found.message.startswith(f"f.yaml line {line}: ")
        assert said in found.message

    def test_what_is_shared_but_right_already_is_no_obstacle(self) -> None:
        text = pod(metadata=ANNOTATED, spec=NAMED).replace("    spec:\n", "    spec: &p\n") + "x: *p\n"
        assert done(text).text == text

    def test_what_a_merge_key_brings_in_is_read(self) -> None:
        text = f"x: &c {{image: {HARBOR}/a}}\n" + pod(spec="containers:\n- <<: *c\n  name: web")
        assert done(text, HARBOR).workloads[0].given == ("web",)

    @pytest.mark.parametrize("text", ["&a [*a]\n", "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24)
    )])  # fmt: skip
    def test_anchors_that_grow_without_end_cost_nothing(self, text: str) -> None:
        done(f"{text}---\n{pod()}")


class TestNames:
    @pytest.mark.parametrize("secret", ["123", "1e3", "on", "null", "0x1f", "a.b-c"])
    def test_a_name_stays_text(self, secret: str) -> None:
        (one,) = done(pod(spec="containers:\n- name: web"), secret=secret).workloads
        assert one.after.template.pull_secrets == (secret,)


class TestLive:
    def workload(
        self, annotation: str | None, *secrets: str, containers: tuple[str, ...] = ("web", "side")
    ) -> Workload:
        template = PodTemplate(
            containers=tuple(PodContainer(name=name) for name in containers),
            pull_secrets=secrets,
            annotation=annotation,
        )
        return Workload(kind="Deployment", namespace="demo", name="web", template=template)

    def test_without_pull_secrets_there_is_nothing_to_lose(self) -> None:
        assert check_retention(self.workload(None)) is None

    @pytest.mark.parametrize(
        ("annotation", "missing"),
        [
            (None, ("web", "side")),
            ("", ("web", "side")),
            ("{}", ("web", "side")),
            ("no JSON", ("web", "side")),
            ('{"web":"a"}', ("side",)),
            ('{"web":"a","side":""}', ("side",)),
        ],
    )
    def test_a_container_that_is_left_out_costs_the_secrets(
        self, annotation: str | None, missing: tuple[str, ...]
    ) -> None:
        found = check_retention(self.workload(annotation, "a"))
        assert found
        assert (found.status, found.missing, found.dropped) == (Retention.INCOMPLETE, missing, ("a",))
        assert found.problem
        assert "kubectl -n demo get deployment web" in found.problem.hint
        assert "annotate --secret a -" in found.problem.hint

    def test_where_all_have_the_one_secret_it_is_kept(self) -> None:
        found = check_retention(self.workload('{"web":"a","side":"a"}', "a"))
        assert found
        assert (found.status, found.dropped, found.problem) == (Retention.KEPT, (), None)

    def test_of_several_secrets_one_stays(self) -> None:
        found = check_retention(self.workload('{"web":"a","side":"b"}', "a", "b"))
        assert found
        assert (found.status, found.missing, found.dropped) == (Retention.SEVERAL, (), ("a", "b"))

    def test_with_several_secrets_the_hint_leaves_the_choice(self) -> None:
        found = check_retention(self.workload(None, "a", "b"))
        assert found
        assert found.problem
        assert "--secret NAME --registry HOST" in found.problem.hint
