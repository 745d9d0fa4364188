"""Tables between braces and arrays get and lose one thing; every other byte stays."""

from __future__ import annotations

import tomllib

import pytest

from harbor_agent.formats.text import FormatError
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.formats.toml.edits import (
    add_table,
    prepend_value,
    remove_first_value,
    remove_key,
    remove_table,
    set_value,
)

MIRRORS = ("plugins", "cri", "registry", "mirrors")
ENTRY = (*MIRRORS, "h:80")
SHAPES = [
    "[plugins.cri.registry]\nmirrors = {{ {} }} # by hand\n[grpc]\n",
    "[plugins.cri]\n  registry = {{ mirrors = {{ {} }}, configs = {{}} }}\n",
    "[plugins]\ncri.registry.mirrors = {{ {} }}",
    "plugins = {{cri = {{registry = {{mirrors = {{{}}}}}}}}}\r\n",
    'plugins.cri = {{ a = "}}", registry.mirrors = {{ {} }}, b = [{{ c = "{{" }}] }}\n',
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("inside", ['"x.y" = { endpoint = ["http://x.y"] }', "'a' = {endpoint=['b,}']}, c.d = 1"])
def test_a_table_is_added_and_removed(shape: str, inside: str) -> None:
    content = shape.format(inside).encode()
    added = add_table(parse_toml(content), ENTRY, {"endpoint": ["http://h:80"]})
    mirrors = tomllib.loads(added.decode())["plugins"]["cri"]["registry"]["mirrors"]
    assert mirrors["h:80"] == {"endpoint": ["http://h:80"]}
    assert len(added.splitlines()) == len(content.splitlines())
    assert remove_table(parse_toml(added), ENTRY) == content


@pytest.mark.parametrize("shape", SHAPES)
def test_the_first_item_leaves_its_neighbours(shape: str) -> None:
    content = shape.format('"h:80" = { endpoint = [] }, x = 1').encode()
    assert remove_table(parse_toml(content), ENTRY) == shape.format("x = 1").encode()


def test_a_value_is_set_in_its_own_quotes_and_removed() -> None:
    content = b"a = { b = { c = 'x', d = 1 } }\n"
    assert set_value(parse_toml(content), ("a", "b", "c"), "y") == b"a = { b = { c = 'y', d = 1 } }\n"
    added = set_value(parse_toml(content), ("a", "e", "f"), "y")
    assert added == b"a = { b = { c = 'x', d = 1 }, e = { f = \"y\" } }\n"
    assert remove_key(parse_toml(content), ("a", "b", "d")) == b"a = { b = { c = 'x' } }\n"
    assert remove_key(parse_toml(content), ("a", "z")) == content


@pytest.mark.parametrize("empty", ["{}", "{ }"])
def test_an_empty_table_gets_its_first_item(empty: str) -> None:
    edited = set_value(parse_toml(f"a = {empty}\n".encode()), ("a", "b"), 1)
    assert edited == b"a = { b = 1 }\n"
    assert remove_key(parse_toml(edited), ("a", "b")) == b"a = {}\n"


def test_items_are_added_to_a_table_that_is_there() -> None:
    assert add_table(parse_toml(b"a = { b = { c = 1 } }\n"), ("a", "b"), {"d": 2}) == b"a = { b = { c = 1, d = 2 } }\n"


@pytest.mark.parametrize("content", [b"a = 1\n", b"a = [{ b = 1 }]\n", b"[[a]]\nb = 1\n", b"a = { b = 1 }\n"])
def test_what_is_not_one_table_is_not_edited(content: bytes) -> None:
    with pytest.raises(FormatError):
        set_value(parse_toml(content), ("a", "b", "c"), 1)


@pytest.mark.parametrize(
    ("content", "edited"),
    [
        (b"e = ['a']\n", b"e = ['n', 'a']\n"),
        (b'e = [ "a", "b" ] # c\n', b'e = [ "n", "a", "b" ] # c\n'),
        (b'e = [\n  "a", # x\n]\n', b'e = [\n  "n",\n  "a", # x\n]\n'),
        (b'e = [\r\n\t"a"\r\n]\r\n', b'e = [\r\n\t"n",\r\n\t"a"\r\n]\r\n'),
        (b"e = [] # none\n", b'e = ["n"] # none\n'),
        (b"x = { e = ['a'] }\n", b"x = { e = ['n', 'a'] }\n"),
    ],
)
def test_a_value_is_put_first_in_an_array_and_taken_out(content: bytes, edited: bytes) -> None:
    path = ("x", "e") if content.startswith(b"x") else ("e",)
    assert prepend_value(parse_toml(content), path, "n") == edited
    assert remove_first_value(parse_toml(edited), path) == content


def test_an_array_that_is_not_there_is_made() -> None:
    assert prepend_value(parse_toml(b"[a]\nb = 1\n"), ("a", "e"), "n") == b'[a]\ne = ["n"]\nb = 1\n'
    with pytest.raises(FormatError):
        remove_first_value(parse_toml(b"a = 1\n"), ("a",))
