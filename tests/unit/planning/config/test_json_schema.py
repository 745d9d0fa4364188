"""The JSON Schema of harbor-agent.yaml and the parser accept the same files."""

from __future__ import annotations

import ast
import json
import re
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from harbor_agent.planning.config.check import check_document
from harbor_agent.planning.config.reader import Source
from harbor_agent.planning.config.receivers import RECEIVERS
from harbor_agent.planning.config.schema import build_settings_schema, check_settings
from harbor_agent.planning.config.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.planning.config.kinds import Kind

ROOT = Path(__file__).resolve().parents[4]
SCHEMA: Any = json.loads(json.dumps(build_settings_schema()))
VALIDATOR = Draft202012Validator(SCHEMA)
LEAST_IN_DOCUMENTS, LEAST_IN_TESTS, LEAST_SETTINGS = 10, 30, 40
NAMES = {setting.key for setting in SETTINGS.settings}
RECEIVER_KEYS = {setting.key for setting in RECEIVERS.settings}
MAY_BE_OURS = re.compile(rf"^({'|'.join(NAMES)}):", re.MULTILINE)
VALUES: tuple[object, ...] = (
    *(None, "", "x", " ", "a b", "h:80", "auto", "false", "present", "absent", "drop-in", "docker", "k3s", "plain"),
    *(-1, 0, 1, 9, 10, 1.5, True, False, "0%", "00%", "1%", "100%", "0100%", "101%", "%", "5", "1.5%", "\u0661%"),
    *([], ["a"], ["a", None], [""], [1], [[]], {}, {"a": 1}, {"sha256": None}, {"sha256": "AB:" * 32}),
    *({"sha256": "ab " * 31}, {"sha256": ""}, {"sha256": 5}, "library/pause:3.9", "/x", "http://h/x:1"),
    *("https://h", "http://h/", "HTTPS://h", "h/p", "u@h", "a_b", "ftp://h", "::1", "10.0.0.1"),
)


def accepts(document: object) -> bool:
    return not check_settings(document, Source(name="harbor-agent.yaml"))[1]


def validates(document: object) -> bool:
    return bool(VALIDATOR.is_valid(document))


def is_sound(document: object) -> bool:
    """Whether `config check` accepts the file, apart from the certificates that it names."""
    return not check_document(document, Source(name="harbor-agent.yaml")).errors


def is_ours(document: object) -> bool:
    return isinstance(document, dict) and bool(document) and document.keys() <= NAMES


def find_in_documents() -> Iterator[object]:
    """The settings in code blocks of the documentation."""
    yield yaml.safe_load((ROOT / "docs/reference/harbor-agent.example.yaml").read_text(encoding="utf-8"))
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        yield from read_texts(re.findall(r"^ *```yaml\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL))


def find_in_tests() -> Iterator[object]:
    """The settings in the literals of all tests, right and wrong ones."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    for text in filter(re.compile(rf"\b({'|'.join(NAMES)})\"?:").search, texts):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and MAY_BE_OURS.search(node.value):
                yield from read_texts([node.value])
            elif isinstance(node, ast.Dict) and any(isinstance(key, ast.Constant) for key in node.keys):
                with suppress(ValueError):
                    yield json.loads(json.dumps(ast.literal_eval(node), default=str))


def read_texts(texts: list[str]) -> Iterator[object]:
    for text in texts:
        with suppress(yaml.YAMLError, ValueError):
            yield yaml.safe_load(text)


def test_it_is_a_schema_with_a_description_of_every_setting() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    paths = [path for path, _ in walk(SETTINGS)]
    assert len(paths) >= LEAST_SETTINGS
    described = re.findall(r'"description": "[^"]', json.dumps(SCHEMA))
    assert len(described) >= len(paths)


def test_settings_in_the_documentation_are_accepted_by_both() -> None:
    found = [document for document in find_in_documents() if is_ours(document)]
    assert len(found) >= LEAST_IN_DOCUMENTS
    assert [document for document in found if not (accepts(document) and validates(document))] == []


def test_settings_in_tests_that_the_parser_accepts_are_accepted_by_the_schema() -> None:
    found = [document for document in find_in_tests() if is_ours(document)]
    accepted = [document for document in found if is_sound(document)]
    assert len(accepted) >= LEAST_IN_TESTS
    assert len(found) > len(accepted)
    assert [document for document in accepted if not validates(document)] == []


def walk(kind: Kind, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Kind]]:
    """Every setting with its path; a registry or receiver of a list is the first one."""
    for setting in kind.settings:
        yield (*path, setting.key), setting.kind
        below = (setting.key, 0) if setting.key in {"registries", "notify"} else (setting.key,)
        yield from walk(setting.kind, (*path, *below))


def build(path: tuple[str | int, ...], value: object) -> object:
    """A document that is right apart from `value` at `path`."""
    if not path:
        return value
    first, *rest = path
    inner = build(tuple(rest), value)
    if first == 0 and rest and rest[0] in RECEIVER_KEYS:
        return [{**({} if str(rest[0]).startswith("url") else {"url_file": "f"}), str(rest[0]): value}]
    if first == 0:
        return [{"address": "h", **inner} if isinstance(inner, dict) else inner]
    below = {"address": "10.0.0.1"} if "resolve" in path[:1] and isinstance(inner, dict) and rest else {}
    document = {first: {**below, **inner} if isinstance(inner, dict) else inner}
    pairs = {"client_certificate": "client_key", "client_key": "client_certificate"}
    return document | ({pairs[str(first)]: value} if first in pairs else {})


def only_the_parser_knows(path: tuple[str | int, ...], value: object) -> bool:
    """What docs/reference/configuration.md says of the schema: forms of addresses, and 1.0."""
    is_address = path[-1] in ("address", "registries") or isinstance(path[-1], int)
    return is_address and isinstance(value, str)


@pytest.mark.parametrize(
    "path", [*(path for path, _ in walk(SETTINGS)), ("registries", 0)], ids=lambda path: ".".join(map(str, path))
)
def test_parser_and_schema_agree_on_every_value_of_every_setting(path: tuple[str | int, ...]) -> None:
    cases = [(value, build(path, value)) for value in VALUES]
    differing = [
        (value, accepts(document), validates(document))
        for value, document in cases
        if accepts(document) != validates(document)
        # whether keys fit together is a question of the merge, for the parser
        and not ("resolve" in path and not value)
        and not only_the_parser_knows(path, value)
    ]
    assert differing == []
    assert {accepts(document) for _, document in cases} == {True, False}


@pytest.mark.parametrize(
    "document",
    [
        [],
        "text",
        {"registry": ["h"]},
        {"registries": "h"},
        {"registries": [{"adress": "h"}]},
        {"registries": [{"state": "absent"}]},
        {"registries": ["u:p@h"]},
        {"registries": ["http://h/project"]},
        {"registries": [{"address": "h", "credentials": {"username": "u", "password": "p"}}]},
        {"registries": [{"address": "h", "secret": ["demo"]}]},
        {"rollout": {"batch": "200%"}},
        {"drift": {"max_nodes": 0}},
        {"runtime": "k3s"},
    ],
    ids=str,
)
def test_a_broken_file_is_refused_by_both(document: object) -> None:
    assert not accepts(document)
    assert not validates(document)


@pytest.mark.parametrize(
    "document",
    [
        {"registries": ["h:99999"]},
        {"registries": ["hub.docker.com"]},
        {"registries": ["300.1.1.1"]},
        {"registries": [{"address": "h", "resolve": {"address": "1.2.3"}}]},
        {"rollout": {"canary": 1.0}},
    ],
    ids=str,
)
def test_only_the_parser_refuses_what_the_reference_says(document: object) -> None:
    assert not accepts(document)
    assert validates(document)


def test_schema_and_check_refuse_keys_that_do_not_fit_together() -> None:
    """The parser leaves these to the merge, since options may complete them."""
    pairs = [
        {"credentials": {"username": "u", "password_env": "A", "password_file": "f"}},
        {"client_certificate": "f"},
        {"resolve": {"nodes": True}},
    ]
    documents = [{"registries": [{"address": "https://h", **pair}]} for pair in pairs]
    assert (
        list(chain.from_iterable((accepts(one), is_sound(one), validates(one)) for one in documents))
        == [True, False, False] * 3
    )
