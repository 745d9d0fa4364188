"""Adding an argument to a value in its own style, and taking it out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.formats.docker.arguments import find_ranges
from harbor_agent.formats.systemd.arguments import add_arguments, remove_arguments, split_value
from harbor_agent.formats.systemd.environment_file import parse_environment_file
from harbor_agent.formats.systemd.service import evaluate_service
from harbor_agent.formats.systemd.unit import parse_unit
from harbor_agent.formats.text import apply_edits, decode

if TYPE_CHECKING:
    from harbor_agent.formats.systemd.arguments import Value

FLAG = "--insecure-registry=x"
NAME = "insecure-registry"
WORDS = st.sampled_from(["--a", "--b=1", "--insecure-registry=y", "--label", "q=é", "%H", "--tag={{.ID}}"])
GAPS = st.sampled_from([" ", "  ", " \\\n", " \\\n  ", " \\\r\n", " \\\n# note \\\n"])


def unit_value(text: str) -> Value:
    return evaluate_service([("/x", parse_unit(text.encode()))]).environment["A"].value


def similar(value: Value) -> list[tuple[int, int]]:
    return find_ranges([word.text for word in split_value(value)], NAME)


def in_unit(text: str) -> str:
    raw, value = decode(text.encode()), unit_value(text)
    return apply_edits(raw, add_arguments(raw, value, [FLAG], similar(value)))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('"A="', f'"A={FLAG}"'),
        ("A=", f"A={FLAG}"),
        ('"A=--a"', f'"A=--a {FLAG}"'),
        ('"A=--a  "', f'"A=--a {FLAG}  "'),
        ("A='--a'", f"A='--a {FLAG}'"),
        ("A=--a", f'"A=--a {FLAG}"'),
        ('"A=--a" B=1', f'"A=--a {FLAG}" B=1'),
        ('"A=--a \\\n--b"', f'"A=--a \\\n--b \\\n{FLAG}"'),
        ('"A=\\\n  --a \\\n  --b \\\n"', f'"A=\\\n  --a \\\n  --b \\\n  {FLAG} \\\n"'),
        ('"A=--a \\\n--insecure-registry=y \\\n--b"', f'"A=--a \\\n--insecure-registry=y {FLAG} \\\n--b"'),
    ],
)
def test_environment_in_a_unit(line: str, expected: str) -> None:
    text = f"[Service]\nEnvironment={line}\n"
    assert in_unit(text) == f"[Service]\nEnvironment={expected}\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A=", f"A={FLAG}"),
        ("A=--a", f"A=--a {FLAG}"),
        ('A="--a"', f'A="--a {FLAG}"'),
        ("A=''", f"A='{FLAG}'"),
        ('A="--a \\\n--b"', f'A="--a \\\n--b \\\n{FLAG}"'),
    ],
)
def test_environment_file(line: str, expected: str) -> None:
    value = parse_environment_file(f"{line}\n".encode()).variables[0].value
    assert apply_edits(f"{line}\n", add_arguments(f"{line}\n", value, [FLAG], similar(value))) == f"{expected}\n"


@given(st.lists(st.tuples(WORDS, GAPS), min_size=1, max_size=6))
def test_adding_keeps_every_argument_and_removing_brings_the_bytes_back(parts: list[tuple[str, str]]) -> None:
    body = "".join(word + gap for word, gap in parts[:-1]) + parts[-1][0]
    text = f'# head\n[Service]\nEnvironment="A={body}"\n# tail é\n'
    raw = decode(text.encode())
    before = split_value(unit_value(text))
    value = unit_value(text)
    after_raw = apply_edits(raw, add_arguments(raw, value, [FLAG], similar(value)))
    after_value = evaluate_service([("/x", parse_unit(after_raw.encode("latin-1")))]).environment["A"].value
    after = split_value(after_value)
    texts = [word.text for word in after]
    index = texts.index(FLAG)
    assert texts[:index] + texts[index + 1 :] == [word.text for word in before]
    assert apply_edits(after_raw, remove_arguments(after_raw, after, [(index, index)])) == raw
