"""The words that docs/STYLE.md advises against are not used: strings, docstrings, comments, English documents.

    .venv/bin/pytest -q tests/unit/docs/test_style.py                  # everything
    .venv/bin/pytest -q tests/unit/docs/test_style.py -k planning/     # one room and the rooms below it

A room is a folder with files. The rooms in not_yet_reworded.txt are exempt; a room that is clean must leave that list,
and to see what is left in a room, take it out of the list and run the test.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
EXEMPT = Path(__file__).with_name("not_yet_reworded.txt").read_text(encoding="utf-8").split()
LEAST_ROOMS, LEAST_RULES = 40, 15
FOLDERS = ("agent", "playbooks", "templates", "docs")
SUFFIXES = {".py", ".sh", ".md", ".j2", ".yml", ".yaml"}
SINGLE_FILES = ("README.md", "CHANGELOG.md", "inventory.example")
CONTEXT = 30


def phrases(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@cache
def section() -> str:
    return (ROOT / "docs/STYLE.md").read_text(encoding="utf-8").partition("\n## Words\n")[2].partition("\n## ")[0]


@cache
def rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    """What is not written, and what is written instead."""
    rows = [line.strip("|").split("|") for line in section().splitlines() if line.startswith("| `")]
    return tuple((pattern(phrases(banned)), better.strip()) for banned, better in rows)


@cache
def allowed() -> re.Pattern[str]:
    """The phrases that may hold a banned word."""
    return pattern(phrases(section().partition("\nPhrases that may hold such a word:")[2].partition("\n\n")[0]))


def pattern(found: list[str]) -> re.Pattern[str]:
    alternatives = [
        re.escape(phrase[1:])
        if phrase.startswith("*")
        else rf"(?<![\w-])(?i:{re.escape(phrase[0])}){re.escape(phrase[1:])}"
        for phrase in found
    ]
    return re.compile(f"(?:{'|'.join(alternatives)})(?![\\w-])")


def complaints(text: str) -> Iterator[str]:
    """Yield what is wrong with each banned phrase."""
    kept = allowed().sub(lambda match: " " * len(match[0]), text)
    for banned, better in rules():
        for match in banned.finditer(kept):
            around = text[max(match.start() - CONTEXT, 0) : match.end() + CONTEXT].strip()
            yield f"…{around}…: instead of '{match[0]}' write {better}"


def texts_of_python(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each string and of each run of comment lines."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    block: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            if block and line != last + 1:
                yield first, " ".join(block)
                block = []
            first = first if block else line
            block.append(token.string.lstrip("# "))
            last = line
    if block:
        yield first, " ".join(block)


def texts_of_prose(source: str) -> Iterator[tuple[int, str]]:
    """Yield paragraphs: runs of lines without a blank one, comment signs taken off."""
    line = 1
    for paragraph in re.split(r"(\n[ \t]*\n)", source):
        if paragraph.strip():
            yield line, re.sub(r"^[ \t]*#+[ \t]?", "", paragraph, flags=re.MULTILINE)
        line += paragraph.count("\n")


def check(path: Path) -> list[str]:
    source = path.read_text(encoding="utf-8")
    texts = texts_of_python(source) if path.suffix == ".py" else texts_of_prose(source)
    return [
        f"{path.relative_to(ROOT)}:{line}: {complaint}"
        for line, text in texts
        for complaint in complaints(" ".join(text.split()))
    ]


@cache
def rooms() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            is_chinese = ".zh." in path.name or path.parent.name == "zh"
            if path.suffix in SUFFIXES and not is_chinese and path != ROOT / "docs/STYLE.md":
                found[str(path.parent.relative_to(ROOT)).removeprefix("agent/").removeprefix("harbor_agent/")].append(
                    path
                )
    for name in SINGLE_FILES:
        found[name].append(ROOT / name)
    return found


def test_there_are_rooms_and_rules() -> None:
    assert len(rooms()) >= LEAST_ROOMS
    assert len(rules()) >= LEAST_RULES
    assert len(list(complaints("It cannot tell whether the file stands for something, and is told anew."))) == 2


@pytest.mark.parametrize("room", [room for room in sorted(rooms()) if room not in EXEMPT])
def test_no_word_that_the_style_guide_advises_against(room: str) -> None:
    found = [complaint for path in rooms()[room] for complaint in check(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("room", EXEMPT or [pytest.param("", marks=pytest.mark.skip(reason="no room is exempt"))])
def test_exempt_room_is_not_clean_yet(room: str) -> None:
    assert any(check(path) for path in rooms().get(room, [])), f"take {room} out of not_yet_reworded.txt"
