"""The secret and the annotation are added in the style of the text, and everything else stays byte for byte."""

from __future__ import annotations

import json

import pytest

from harbor_agent.model.workloads.template import PULL_SECRETS_ANNOTATION
from tests.unit.planning.secrets.manifests.texts import ANNOTATED, NAMED, annotated, pod


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
    assert annotated(pod(metadata=ANNOTATED, spec=before)).text == pod(metadata=ANNOTATED, spec=after)


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

    assert annotated(filled(before)).text == filled(after)


def test_a_template_without_metadata_gets_it() -> None:
    bare = pod(spec=NAMED).replace("    metadata: {}\n", "")
    assert annotated(bare).text == bare.replace(
        "  template:\n",
        f'  template:\n    metadata:\n      annotations:\n        {PULL_SECRETS_ANNOTATION}: \'{{"web":"pull"}}\'\n',
    )


def test_line_ends_a_mark_and_tabs_stay() -> None:
    text = "\ufeff" + pod(spec="containers:\n- name: web\t# tab").replace("\n", "\r\n")
    after = annotated(text).text
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
    after = annotated(text.replace('"a"', '"\\ud83d\\ude00"')).text
    spec = json.loads(after)["items"][0]["spec"]
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert [line for line in text.splitlines()[-9:] if line not in after.splitlines()] == []
    assert '\t\t\t\t"imagePullSecrets": [{"name": "pull"}],\n' in after
    assert annotated('{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"c"}]}}').text.count("\n") == 0


@pytest.mark.parametrize("secret", ["123", "1e3", "on", "null", "0x1f", "a.b-c"])
def test_a_name_stays_text(secret: str) -> None:
    (one,) = annotated(pod(spec="containers:\n- name: web"), secret=secret).workloads
    assert one.after.template.pull_secrets == (secret,)
