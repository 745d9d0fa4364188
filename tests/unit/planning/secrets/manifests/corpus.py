"""Manifests as people and programs write them, made from a number: every shape that public repositories have.

Only text is made, with a style of its own at each place; nothing is written by a YAML library, which would have one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from harbor_agent.model.workloads.kinds import find_template_paths, list_custom_kinds
from harbor_agent.model.workloads.template import PULL_SECRETS_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Callable

CORE = [
    *(("apps/v1", kind) for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")),
    *(("v1", kind) for kind in ("Pod", "ReplicationController", "PodTemplate")),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("extensions/v1beta1", "Deployment"),
]
CUSTOM = [(f"{group}/v1", kind) for group, kinds in list_custom_kinds().items() for kind in kinds]
OTHERS = [
    ("v1", "ConfigMap"), ("v1", "Secret"), ("v1", "Service"), ("networking.k8s.io/v1", "Ingress"), ("v1", "Namespace"),
    ("example.org/v1", "Widget"), ("rbac.authorization.k8s.io/v1", "Role"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
]  # fmt: skip
SHAPES = ("block", "flow", "mixed", "json", "json-compact", "json-tabs", "json-stream", "list", "several", "anchors")
_WORDS = (
    "web", "nginx:1.25", "a b", "8080", "0644", "1e3", "yes", "null", "~", "", "- x", "# none", "x: y",
    "{{ .Values.x }}",
    "ü中文", "it's", 'say "hi"', "100m", "0x1F", "*", "&a", "!t", "%x", "@x", "`x`", "a\tb", "\\d+\\.\\n", "true",
    "12:30:45",
    "https://example.org/?a=b&c=d#e", "C:\\temp", "[a]", "{a}", "a,b", "key:", ":", "?", "-", "2001-12-14", "=",
)  # fmt: skip
_LINES = (
    "server {",
    "  listen 80;",
    "}",
    "# not a comment",
    "",
    "key: value",
    "  - item",
    "---x",
    "{{- if .x }}",
    "\ttab",
    "é",
)
_COMMENTS = ("# above", "#no blank", "# containers:", "# - {[", "#", "# ü中文", "# key: 'value", "#\ttab", "## ----")
_LINE_ENDS = ("\n",) * 6 + ("\r\n",) * 2
_ITEMS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A text with at least one object; `has_secret` is whether each workload has the pull secret and its annotation."""

    text: str
    shape: str
    has_secret: bool
    workloads: int


def make_manifest(number: int) -> Manifest:
    """Return the manifest of a number, always the same."""
    chance = Random(number)
    shape, has_secret = SHAPES[number % len(SHAPES)], chance.random() < 0.5
    count = chance.randrange(2, 4) if shape in ("list", "several", "json-stream") else 1
    kinds = [chance.choice((CORE, CUSTOM, OTHERS)) for _ in range(count)]
    objects = [_make_object(chance, *chance.choice(kind), has_secret=has_secret) for kind in kinds]
    workloads = sum(
        len(find_template_paths(one["apiVersion"].rpartition("/")[0], one["kind"]) or ()) for one in objects
    )
    text = _MAKERS.get(shape, _make_yaml)(chance, shape, objects)
    return Manifest(text=text, shape=shape, has_secret=has_secret, workloads=workloads)


def _make_object(chance: Random, version: str, kind: str, *, has_secret: bool) -> dict[str, Any]:
    name = chance.choice(("web", "api-1", "x.y"))
    metadata: dict[str, Any] = {"name": name} | _some_texts(chance, "labels") | _some_texts(chance, "annotations")
    if chance.random() < 0.3:
        metadata["namespace"] = "demo"
    document: dict[str, Any] = {"apiVersion": version, "kind": kind, "metadata": metadata}
    group = version.rpartition("/")[0]
    paths = find_template_paths(group, kind)
    if paths is None:
        return document | _some_texts(chance, chance.choice(("data", "spec", "stringData")))
    is_core = (version, kind) in CORE
    for path in paths:
        _merge(document, _nest(path, _make_template(chance, has_secret=has_secret, is_core=is_core)))
    return document


def _make_template(chance: Random, *, has_secret: bool, is_core: bool) -> dict[str, Any]:
    names = chance.sample(("web", "side-car", "a1", "log"), chance.randrange(1, _ITEMS))
    containers = [{"name": name, "image": f"quay.io/x/{name}:1"} | _some_settings(chance) for name in names]
    spec: dict[str, Any] = {"containers": containers}
    if chance.random() < 0.3:
        spec["initContainers"] = [{"name": "before", "image": "docker.io/library/busybox"}]
        names = [*names, "before"]
    if chance.random() < 0.5:
        spec = {"restartPolicy": "Never", "volumes": [{"name": "v", "emptyDir": {}}]} | spec
    metadata = _some_texts(chance, "labels")
    if has_secret:
        spec["imagePullSecrets"] = [{"name": "pull"}]
        entries = json.dumps(dict.fromkeys(names, "pull"), separators=(",", ":"))
        metadata |= {"annotations": {"a/b": "c", PULL_SECRETS_ANNOTATION: entries}} if is_core else {}
    return ({"metadata": metadata} if metadata else {}) | {"spec": spec}


def _some_settings(chance: Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if chance.random() < 0.5:
        found["args"] = [chance.choice(_WORDS) for _ in range(chance.randrange(_ITEMS))]
    if chance.random() < 0.4:
        found["env"] = [{"name": "A", "value": chance.choice(_WORDS)}, {"name": "B", "value": _some_lines(chance)}]
    if chance.random() < 0.3:
        found |= {"resources": {"limits": {"cpu": "100m"}}, "ports": [{"containerPort": 8080}], "tty": True}
    return found


def _some_texts(chance: Random, key: str) -> dict[str, Any]:
    values = [
        chance.choice(_WORDS) if chance.random() < 0.8 else _some_lines(chance) for _ in range(chance.randrange(_ITEMS))
    ]
    return {key: {f"k{number}/x": value for number, value in enumerate(values)}} if values else {}


def _some_lines(chance: Random) -> str:
    return "\n".join(chance.choice(_LINES) for _ in range(chance.randrange(1, 5)))


def _nest(path: tuple[str, ...], template: dict[str, Any]) -> Any:  # noqa: ANN401 - a list or a mapping
    if not path:
        return template
    return [_nest(path[1:], template)] if path[0] == "*" else {path[0]: _nest(path[1:], template)}


def _merge(into: dict[str, Any], value: dict[str, Any]) -> None:
    for key, below in value.items():
        if isinstance(below, dict) and isinstance(into.get(key), dict):
            _merge(into[key], below)
        else:
            into[key] = below


def _make_json(chance: Random, shape: str, objects: list[dict[str, Any]]) -> str:
    indent = {"json-compact": None, "json-tabs": "\t"}.get(shape, chance.choice((1, 2, 4, None)))
    written = [json.dumps(one, indent=indent, ensure_ascii=chance.random() < 0.5) for one in objects]
    between = chance.choice(("\n", "", "\n\n", " \r\n"))
    return chance.choice(("", "\n", "  ")) + between.join(written) + chance.choice(("", "\n"))


def _make_list(chance: Random, shape: str, objects: list[dict[str, Any]]) -> str:
    return _make_yaml(chance, shape, [{"apiVersion": "v1", "kind": "List", "items": objects}])


def _make_yaml(chance: Random, shape: str, objects: list[dict[str, Any]]) -> str:
    writer = _Writer(chance, shape)
    parts = [writer.write_document(one) for one in objects]
    start = chance.choice(("", "---\n", "# first\n---\n", "\n", "--- # here\n", "%YAML 1.1\n---\n"))
    between = [chance.choice(("---\n", "...\n---\n", "---\n# empty\n---\n", "---   \n")) for _ in parts[1:]]
    text = start + parts[0] + "".join(a + b for a, b in zip(between, parts[1:], strict=True))
    text += chance.choice(("", "---\n", "...\n", "# last\n", "\n\n"))
    if chance.random() < 0.2:
        text = text.removesuffix("\n")
    return chance.choice(("", "", "", "\ufeff")) + text.replace("\n", chance.choice(_LINE_ENDS))


class _Writer:
    """Writes one file's documents: some habits are the file's, others change from place to place."""

    def __init__(self, chance: Random, shape: str) -> None:
        self._chance = chance
        self._shape = shape
        self._indent = chance.choice((1, 2, 2, 2, 3, 4, 8))
        self._dash = chance.choice((0, 0, self._indent))
        self._comments = chance.choice((0.0, 0.0, 0.1, 0.4))
        self._quotes = chance.choice((0.0, 0.2, 1.0))
        self._blank = chance.choice(("", "", "  "))

    def write_document(self, document: dict[str, Any]) -> str:
        if self._shape == "flow":
            return self._write_flow(document) + "\n"
        lines = self._write_mapping(document, 0)
        if self._shape == "anchors":
            lines = [
                "x-shared: &shared",
                "  a: &one b",
                "  c: *one",
                "x-merged:",
                "  <<: *shared",
                "  e: !!str 1",
                *lines,
            ]
        return "".join(f"{line}\n" for line in self._decorate(lines))

    def _decorate(self, lines: list[str]) -> list[str]:
        """Add comments and blank lines between lines, but not into block scalars, which begin with a mark."""
        done: list[str] = []
        for line in lines:
            if line.startswith("\0"):
                done.append(line[1:])
                continue
            if self._chance.random() < self._comments:
                done.append(" " * self._chance.randrange(9) + self._chance.choice(_COMMENTS))
            if self._chance.random() < self._comments / 4:
                done.append(self._blank)
            is_open = line.endswith(("|", ">", "-", "+")) or line[-1:].isdecimal()
            has_room = not is_open and self._chance.random() < self._comments
            done.append(
                line + (self._chance.choice((" ", "   ", "\t")) + self._chance.choice(_COMMENTS) if has_room else "")
            )
        return done

    def _write_mapping(self, mapping: dict[str, Any], column: int) -> list[str]:
        lines: list[str] = []
        for key, value in mapping.items():
            name = self._write_key(key)
            if isinstance(value, dict | list) and (
                not value or (self._shape == "mixed" and self._chance.random() < 0.15)
            ):
                lines.append(f"{' ' * column}{name}: {self._write_flow(value)}")
            elif isinstance(value, dict):
                lines += [f"{' ' * column}{name}:", *self._write_mapping(value, column + self._indent)]
            elif isinstance(value, list):
                lines += [f"{' ' * column}{name}:", *self._write_items(value, column + self._dash)]
            else:
                lines += self._write_value(f"{' ' * column}{name}:", value, column)
        return lines

    def _write_items(self, items: list[Any], column: int) -> list[str]:
        lines: list[str] = []
        gap = self._chance.choice((1, 1, 1, 3))
        for item in items:
            if isinstance(item, dict) and item:
                first, *rest = self._write_mapping(item, column + 1 + gap)
                lines += [f"{' ' * column}-{' ' * gap}{first[column + 1 + gap :]}", *rest]
            else:
                lines += self._write_value(f"{' ' * column}-", item, column)
        return lines

    def _write_value(self, before: str, value: Any, column: int) -> list[str]:  # noqa: ANN401 - a scalar
        if isinstance(value, str) and "\n" in value and "\t" not in value[:1]:
            return [f"{before} {self._write_header(value)}", *self._write_block(value, column)]
        return [f"{before} {self._write_scalar(value)}"]

    def _write_header(self, value: str) -> str:
        """Return the head of a block scalar; blanks or nothing on the first line need the indentation in it."""
        number = "2" if value[:1] in (" ", "\n") else ""
        return self._chance.choice(("|", "|-", "|+", ">", ">-"))[:1] + number + self._chance.choice(("", "-", "+"))

    def _write_block(self, value: str, column: int) -> list[str]:
        return ["\0" + (" " * (column + 2) + line if line else "") for line in value.split("\n")]

    def _write_key(self, key: str) -> str:
        chosen = self._chance.random()
        if self._quotes == 1.0 or chosen < 0.05:
            return json.dumps(key)
        return f"'{key}'" if chosen < 0.08 else key

    def _write_scalar(self, value: Any, *, is_flow: bool = False) -> str:  # noqa: ANN401 - a scalar
        if not isinstance(value, str):
            return json.dumps(value)
        plain: Callable[[str], bool] = lambda text: text.isascii() and text.replace("-", "").replace(".", "").isalpha()  # noqa: E731
        if (
            plain(value)
            and value not in ("yes", "null", "true")
            and self._chance.random() >= self._quotes
            and not is_flow
        ):
            return value
        if "\n" in value or "\t" in value or self._chance.random() < 0.5:
            return json.dumps(value, ensure_ascii=self._chance.random() < 0.5)
        return "'" + value.replace("'", "''") + "'"

    def _write_flow(self, value: Any) -> str:  # noqa: ANN401 - any value
        gap, end = self._chance.choice((("", ""), (" ", " "), ("", "")))
        if isinstance(value, dict):
            pairs = ", ".join(f"{self._write_key(key)}: {self._write_flow(below)}" for key, below in value.items())
            return f"{{{gap}{pairs}{end}}}" if pairs else "{}"
        if isinstance(value, list):
            items = self._chance.choice((", ", ",  ", ",\n" + " " * 40)).join(map(self._write_flow, value))
            return f"[{gap}{items}{end}]" if items else "[]"
        return self._write_scalar(value, is_flow=True)


_MAKERS: dict[str, Callable[[Random, str, list[dict[str, Any]]], str]] = {
    **dict.fromkeys(("json", "json-compact", "json-tabs", "json-stream"), _make_json),
    "list": _make_list,
}
