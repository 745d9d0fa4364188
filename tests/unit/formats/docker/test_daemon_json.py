"""daemon.json: read strictly, edited without touching anything else."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.formats.docker.daemon_json import (
    INSECURE_REGISTRIES,
    add_strings,
    parse_daemon_json,
    remove_key,
    remove_strings,
    replace_strings,
)
from harbor_agent.formats.text import FormatError

KEY = INSECURE_REGISTRIES
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
NESTED = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
OBJECTS = st.dictionaries(st.text(max_size=4), NESTED, max_size=4)
ENTRIES = st.lists(st.from_regex(r"[a-z0-9.]{1,8}(:[0-9]{1,4})?", fullmatch=True), unique=True, max_size=4)


def added(text: str, *entries: str) -> str:
    return add_strings(parse_daemon_json(text.encode()), KEY, list(entries))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", '{ "insecure-registries": ["x"] }'),
        ('{"a":1}', '{"a":1,"insecure-registries":["x"]}'),
        ('{"a": 1}', '{"a": 1, "insecure-registries": ["x"]}'),
        ('{\n    "a": 1\n}\n', '{\n    "a": 1,\n    "insecure-registries": ["x"]\n}\n'),
        ('{\r\n\t"a": 1\r\n}', '{\r\n\t"a": 1,\r\n\t"insecure-registries": ["x"]\r\n}'),
        ('{"insecure-registries": []}', '{"insecure-registries": ["x"]}'),
        ('{"insecure-registries": null}', '{"insecure-registries": ["x"]}'),
        ('{"insecure-registries":["a"]}', '{"insecure-registries":["a","x"]}'),
        ('{"insecure-registries": ["a"], "b": 1}', '{"insecure-registries": ["a", "x"], "b": 1}'),
        ('{"insecure-registries": [\n  "a"\n]}', '{"insecure-registries": [\n  "a",\n  "x"\n]}'),
        ('{"insecure-registries": ["a"], "insecure-registries": ["b"]}',
         '{"insecure-registries": ["a"], "insecure-registries": ["b", "x"]}'),
    ],
)  # fmt: skip
def test_an_entry_is_added_in_the_style_of_the_file(text: str, expected: str) -> None:
    assert added(text, "x") == expected
    json.loads(expected)


def test_a_value_of_the_wrong_type_is_an_error_with_its_line() -> None:
    for value in ('"a"', "{}", "[1]", "true"):
        document = parse_daemon_json(f'{{\n"insecure-registries": {value}}}'.encode())
        with pytest.raises(FormatError, match="line 2: 'insecure-registries' must be a list of strings"):
            document.strings(KEY)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"[]", 1), (b"{", 1), (b'{\n"a" 1}', 2), (b'{\n\n"a": 1,}', 3), (b"{} {}", 1), (b'{"a": 01}', 1),
        (b"\xff", 1), (b'{"a": "\n"}', 1), (b"// x\n{}", 1), (b"[" * 3000, 1), (b"nul", 1), (b'{"a": "\\x"}', 1),
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_an_error_with_its_line(content: bytes, line: int) -> None:
    with pytest.raises(FormatError) as caught:
        parse_daemon_json(content)
    assert caught.value.line == line


@pytest.mark.parametrize("content", [b"", b" \r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_keys(content: bytes) -> None:
    document = parse_daemon_json(content)
    assert (document.root, document.keys, document.strings(KEY)) == (None, (), ())


def test_a_byte_order_mark_is_kept_or_dropped_as_asked() -> None:
    document = parse_daemon_json(b"\xef\xbb\xbf{}")
    assert document.encode("{}", keep_mark=True) == b"\xef\xbb\xbf{}"
    assert document.encode("{}", keep_mark=False) == b"{}"


def test_the_last_of_equal_keys_counts() -> None:
    document = parse_daemon_json(b'{"insecure-registries": ["a"], "insecure-registries": ["b"]}')
    assert document.strings(KEY) == ("b",)
    assert remove_key(document, KEY) == "{}"


def test_a_wrong_value_is_replaced() -> None:
    document = parse_daemon_json(b'{"insecure-registries": "a", "b": 1}')
    assert replace_strings(document, KEY, ["a", "b"]) == '{"insecure-registries": ["a", "b"], "b": 1}'


@given(OBJECTS, ENTRIES, ENTRIES, st.sampled_from([None, 2, "\t"]), st.booleans())
def test_all_else_stays_and_removal_undoes(
    content: dict[str, object],
    held: list[str],
    new: list[str],
    indent: int | None,
    has_key: bool,  # noqa: FBT001
) -> None:
    fresh = [entry for entry in new if entry not in held]
    if has_key:
        content = {**content, KEY: held}
    text = json.dumps(content, indent=indent)
    document = parse_daemon_json(text.encode())
    after = add_strings(document, KEY, fresh)
    kept = held if has_key else []
    assert json.loads(after) == {**content, KEY: [*kept, *fresh]}
    undone = remove_strings(parse_daemon_json(after.encode()), KEY, set(fresh))
    assert json.loads(undone) == {**content, KEY: kept}
    if has_key and held:
        assert undone == text
    elif not has_key and content:
        assert remove_key(parse_daemon_json(after.encode()), KEY) == text


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\ tfn1', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(FormatError):
        parse_daemon_json(content).strings(KEY)
