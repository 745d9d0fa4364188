"""Whatever a manifest looks like: it says afterwards what it said before and the pull secret, in the same lines."""

from __future__ import annotations

import copy
import difflib
import json
import random
import re

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harbor_agent.model.workloads.template import PULL_SECRETS_ANNOTATION
from harbor_agent.planning.secrets.manifests import AnnotatedManifest, AnnotationSpec, annotate

KEY = PULL_SECRETS_ANNOTATION
WAYS = {
    "Pod": ("v1", ()),
    "Deployment": ("apps/v1", ("spec", "template")),
    "Job": ("batch/v1", ("spec", "template")),
    "CronJob": ("batch/v1", ("spec", "jobTemplate", "spec", "template")),
}
NAMES = st.sampled_from(["web", "side-car", "init", "a1", "no", "1"])
TEXTS = st.sampled_from(["", "b", "a: b", "# none", "- x", "'", '"', "{", "ü", "1", "null", "a b", "x\ty"])
SECRETS = st.sampled_from(["pull", "other", "x.y"])
CONTAINERS = st.lists(NAMES, min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.tuples(
        *(st.fixed_dictionaries({"name": st.just(name)}, optional={"image": TEXTS, "args": st.lists(TEXTS, max_size=2)})
          for name in names)
    ).map(list)
)  # fmt: skip
ENTRIES = st.dictionaries(NAMES, SECRETS, max_size=2).map(json.dumps)
ANNOTATIONS = st.none() | st.dictionaries(st.sampled_from(["a", "b/c"]), TEXTS, max_size=2).flatmap(
    lambda others: st.just(others) | ENTRIES.map(lambda text: {**others, KEY: text})
)
METADATA = st.none() | st.fixed_dictionaries(
    {}, optional={"labels": st.dictionaries(NAMES, TEXTS, max_size=2), "annotations": ANNOTATIONS}
)
PULL_SECRETS = st.none() | st.lists(SECRETS.map(lambda name: {"name": name}), max_size=2)
SPECS = st.fixed_dictionaries(
    {"containers": CONTAINERS},
    optional={
        "imagePullSecrets": PULL_SECRETS,
        "initContainers": st.just([]) | st.just([{"name": "before", "image": "x"}]),
        "volumes": st.just([{"name": "v", "emptyDir": {}}]),
        "hostNetwork": st.booleans(),
    },
)
TEMPLATES = st.fixed_dictionaries({"spec": SPECS}, optional={"metadata": METADATA})


@st.composite
def documents(draw: st.DrawFn) -> dict[str, object]:
    kind = draw(st.sampled_from(sorted(WAYS)))
    version, way = WAYS[kind]
    content = draw(TEMPLATES)
    for key in reversed(way):
        content = {"replicas": 1, key: content}
    return {"apiVersion": version, "kind": kind, **content}


OTHERS = st.sampled_from(
    [None, {"kind": "ConfigMap", "apiVersion": "v1", "data": {"a": "{{ b }}", "c": "x: |\n  y\n"}}]
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Documents as one text: in block or flow style or both, quoted or not, indented somehow, with comments."""
    all_documents = draw(st.lists(documents() | OTHERS, min_size=1, max_size=3))
    if draw(st.booleans()) and len(all_documents) == 1:
        return json.dumps(
            all_documents[0], indent=draw(st.sampled_from([None, 2, "\t"])), ensure_ascii=draw(st.booleans())
        )
    style = {
        "default_flow_style": draw(st.sampled_from([None, False, False, True])),
        "default_style": draw(st.sampled_from([None, None, None, '"', "'"])),
        "indent": draw(st.sampled_from([2, 4, 7])),
        "sort_keys": draw(st.booleans()),
        "width": 100_000,
        "allow_unicode": draw(st.booleans()),
    }
    dumper = draw(st.sampled_from([yaml.SafeDumper, _Indented]))
    written = yaml.dump_all(all_documents, Dumper=dumper, explicit_start=draw(st.booleans()), **style)
    line_end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    mark = draw(st.sampled_from(["", "", "\ufeff"]))
    seed = draw(st.integers(0, 1_000))
    return mark + line_end.join(_commented(written, random.Random(seed)))


class _Indented(yaml.SafeDumper):
    """Puts the items of a list below their key, as many people do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, indentless=False)


def _commented(text: str, chance: random.Random) -> list[str]:
    """The lines, some with a comment behind or above them; no value here goes over several."""
    lines: list[str] = []
    for line in text.split("\n"):
        whole = line and not line.startswith(("---", "...")) and "\\n" not in line and "|" not in line
        if whole and chance.random() < 0.2:
            lines.append(" " * chance.randrange(9) + f"# above {len(lines)}: {{[")
        lines.append(f"{line}  # behind {len(lines)}" if whole and chance.random() < 0.2 else line)
    return lines


def with_secret(document: object, secret: str) -> object:
    """What a document should say, worked out without its text."""
    document = copy.deepcopy(document)
    if not isinstance(document, dict) or document.get("kind") not in WAYS:
        return document
    template = document
    for key in WAYS[document["kind"]][1]:
        template = template[key]
    spec = template["spec"]
    listed = spec.get("imagePullSecrets") or []
    spec["imagePullSecrets"] = listed if {"name": secret} in listed else [*listed, {"name": secret}]
    template["metadata"] = template.get("metadata") or {}
    annotations = template["metadata"].get("annotations") or {}
    entries = json.loads(annotations.get(KEY) or "{}")
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        entries.setdefault(container["name"], secret)
    template["metadata"]["annotations"] = {**annotations, KEY: entries}
    return document


def as_said(document: object) -> object:
    """A document with the annotation read."""
    document = copy.deepcopy(document)
    if isinstance(document, dict) and document.get("kind") in WAYS:
        template = document
        for key in WAYS[document["kind"]][1]:
            template = template[key]
        annotations = template["metadata"]["annotations"]
        annotations[KEY] = json.loads(annotations[KEY])
    return document


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=texts(), secret=SECRETS)
def test_it_says_the_same_and_the_secret_in_the_same_lines(text: str, secret: str) -> None:
    result = annotate("f.yaml", text, AnnotationSpec(secret=secret))
    assert isinstance(result, AnnotatedManifest), f"{result}\n{text}"
    before, after = ([*yaml.safe_load_all(one.replace("\t", " "))] for one in (text, result.text))
    assert [as_said(one) for one in after] == [with_secret(one, secret) for one in before]

    old, new = (one.removeprefix("\ufeff").splitlines(keepends=True) for one in (text, result.text))
    assert result.text.startswith("\ufeff") == text.startswith("\ufeff")
    gone = [line for line in difflib.ndiff(old, new) if line.startswith("- ")] if old != new else []
    touched = sum(one.is_changed for one in result.workloads)
    assert len(gone) <= 2 * touched, (
        "at most two lines a workload are other than before: within brackets, and the value"
    )
    assert all(re.search(r"[\[{}]|null|imagepullsecrets", line) for line in gone)
    assert {line.endswith("\r\n") for line in new[:-1]} <= {line.endswith("\r\n") for line in old[:-1]} or len(old) == 1

    again = annotate("f.yaml", result.text, AnnotationSpec(secret=secret))
    assert isinstance(again, AnnotatedManifest)
    assert again.text == result.text


@settings(max_examples=100, deadline=None)
@given(
    text=texts(),
    cut=st.integers(0, 400),
    put=st.sampled_from(["", "\t", "{", "]", "&a ", "*a", "<<: ", "'", "- ", "? "]),
)
def test_a_text_that_somebody_broke_is_annotated_rightly_or_refused(text: str, cut: int, put: str) -> None:
    broken = text[:cut] + put + text[cut:]
    result = annotate("f.yaml", broken, AnnotationSpec(secret="pull"))
    if not isinstance(result, AnnotatedManifest):
        assert result.code in {"manifest-invalid", "manifest-not-editable"}
        return
    assert all("pull" in one.after.template.pull_secrets for one in result.workloads)
    again = annotate("f.yaml", result.text, AnnotationSpec(secret="pull"))
    assert isinstance(again, AnnotatedManifest)
    assert again.text == result.text
