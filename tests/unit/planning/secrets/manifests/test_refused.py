"""Manifests that cannot be read or edited safely are refused, with the line that is why."""

from __future__ import annotations

import pytest

from harbor_agent.model.workloads.template import PULL_SECRETS_ANNOTATION
from tests.unit.planning.secrets.manifests.texts import ANNOTATED, HARBOR, NAMED, annotated, pod, refusal


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "line", "said"),
        [
            ("a: b\n\tc: d\n", 2, "not YAML"),
            ("a: 'b\n", 2, "not YAML"),
            ("a: b\x01\n", 1, "control character"),
            ("? {a: b}\n: c\n", 1, "a key is not text"),
            (pod(spec="containers: [{name: {{ .Values.name }}}]"), 7, "template placeholder"),
            (pod(spec="{{- if .Values.web }}\ncontainers: [{name: web}]\n{{- end }}"), 7, "template placeholder"),
            (pod(spec='{{ include "web" . }}\ncontainers: [{name: web}]'), 7, "template placeholder"),
            (pod(spec="containers: [{image: web}]"), 7, "expected 'name'"),
            (pod(spec="containers: [{name: 1}]"), 7, "expected 'name'"),
            (pod(spec='containers: [{name: "\\e[2J"}]'), 7, "expected 'name'"),
            ('metadata: {name: "\\e[2J"}\n' + pod(), 1, "control characters"),
            (pod(spec="containers: {name: web}"), 7, "expected a list"),
            (pod(metadata="metadata: [a]"), 5, "expected a mapping with 'annotations'"),
            (pod(metadata=f"metadata: {{annotations: {{{PULL_SECRETS_ANNOTATION}: {{}}}}}}"), 5, "in quotes"),
            ("[" * 100_000, 1, "nested too deeply"),
            ("- " * 1_000, 1, "nested too deeply"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_read_is_named_with_its_line(self, text: str, line: int, said: str) -> None:
        found = refusal(text)
        assert found.code == "manifest-invalid"
        assert found.message.startswith(f"f.yaml line {line}: ")
        assert said in found.message

    def test_a_brace_elsewhere_is_not_to_blame(self) -> None:
        found = refusal("a: |\n  {{ fine }}\n\n\nb: c\n\td: e\n")
        assert "not YAML" in found.message
        assert "helm" not in found.hint

    @pytest.mark.parametrize(
        ("text", "line", "said"),
        [
            (pod(spec="containers: [{name: web}]").replace("    spec:\n", "    spec: &p\n") + "x: *p\n", 6, "anchor"),
            ("x: &p {containers: [{name: web}]}\n" + pod().partition("    spec:\n")[0] + "    spec: *p\n", 7, "anchor"),
            (pod(metadata="metadata: &m\n  labels: {a: b}") + "x: *m\n", 5, "anchor"),
            ("x: &p {imagePullSecrets: [{name: a}]}\n" + pod(spec="<<: *p\ncontainers: [{name: web}]"), 8, "merge key"),
            (pod(spec="containers: [{name: web}]\ncontainers: [{name: web}]"), 8, "duplicate key"),
            (pod() + "spec: {}\n", 8, "duplicate key"),
            (pod(metadata=f"metadata: {{annotations: {{{PULL_SECRETS_ANNOTATION}: 'web=pull'}}}}"), 5, "in JSON"),
            (pod(metadata=f"metadata: {{annotations: {{{PULL_SECRETS_ANNOTATION}: '[1]'}}}}"), 5, "in JSON"),
            (pod(spec="imagePullSecrets:\n- # mine\n  name: a\ncontainers: [{name: web}]"), 9, "dash and its item"),
        ],
    )  # fmt: skip
    def test_where_an_edit_would_reach_further_the_line_is_named(self, text: str, line: int, said: str) -> None:
        found = refusal(text)
        assert found.code == "manifest-not-editable", found
        assert found.message.startswith(f"f.yaml line {line}: ")
        assert said in found.message

    def test_what_is_shared_but_right_already_is_no_obstacle(self) -> None:
        text = pod(metadata=ANNOTATED, spec=NAMED).replace("    spec:\n", "    spec: &p\n") + "x: *p\n"
        assert annotated(text).text == text

    def test_what_a_merge_key_brings_in_is_read(self) -> None:
        text = f"x: &c {{image: {HARBOR}/a}}\n" + pod(spec="containers:\n- <<: *c\n  name: web")
        assert annotated(text, HARBOR).workloads[0].changed_containers == ("web",)

    @pytest.mark.parametrize("text", ["&a [*a]\n", "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24)
    )])  # fmt: skip
    def test_anchors_that_grow_without_end_cost_nothing(self, text: str) -> None:
        annotated(f"{text}---\n{pod()}")
