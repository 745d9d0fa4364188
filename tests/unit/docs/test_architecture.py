"""docs/explanation/architecture.md describes the tree as it is, and the links of all documents lead somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "agent/harbor_agent"
TEXT = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
TABLE = {
    row[1]: (row[2], row[3])
    for row in re.finditer(r"^\| `([\w/]+/|\w+\.py)` \| (.+?) \| (.*?) ?\|$", TEXT, re.MULTILINE)
}
ROOMS = sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)
PROGRAMS = sorted(PACKAGE.rglob("*.sh"))
DOCUMENTS = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "playbooks").rglob("*.md")])
LEAST_ROOMS, LEAST_PROGRAMS, LEAST_DOCUMENTS, LEAST_QUESTIONS = 40, 12, 530, 8
LEAST_DECISIONS = 30


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def imported_rooms(room: str) -> Iterator[str]:
    """The rooms that the modules of a room import, other than itself."""
    for module in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "harbor_agent":
                path = (node.module or "").split(".")[1:]
                names = path[:1] or [alias.name for alias in node.names]
                yield from (name for name in names if name not in (room, "__version__"))


def test_nothing_is_left_out() -> None:
    assert len(ROOMS) >= LEAST_ROOMS
    assert len(PROGRAMS) >= LEAST_PROGRAMS
    assert len(DOCUMENTS) >= LEAST_DOCUMENTS
    assert "planning" in imported_rooms("engine")


@pytest.mark.parametrize("room", ROOMS, ids=name_of)
def test_the_table_of_rooms_has_the_rule_of_every_room(room: Path) -> None:
    rule = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert TABLE[f"{name_of(room)}/"][0] == rule


def test_every_row_is_a_room() -> None:
    assert [row for row in TABLE if not (PACKAGE / row).exists()] == []


@pytest.mark.parametrize("room", [name_of(room) for room in ROOMS if room.parent == PACKAGE])
def test_a_room_imports_what_the_table_allows(room: str) -> None:
    allowed = TABLE[f"{room}/"][1]
    imported = set(imported_rooms(room)) - {"errors"}
    assert allowed == "everything" or imported <= set(allowed.split(", "))


def test_every_place_that_answers_a_question_exists() -> None:
    questions = TEXT.partition("### Where to find it\n")[2].partition("\n## ")[0]
    places = [place for row in questions.splitlines()[4:] for place in re.findall(r"`([\w/]+/[\w.]*)`", row)]
    assert len(places) >= LEAST_QUESTIONS
    assert [place for place in places if not (PACKAGE / place.replace("RUNTIME", "docker")).exists()] == []


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_every_program_is_described(path: Path) -> None:
    assert f"`{path.name}`" in TEXT


def test_every_word_of_the_journal_is_described() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in PROGRAMS)
    words = {word.rstrip("-") for word in re.findall(r"(?<!/)\b(?:journal|end_restoration) \"?([a-z_]{4,}-?)", text)}
    assert "rolled_back" in words
    assert {word for word in words if not re.search(rf"`{word}(-N)?`", TEXT)} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_local_link_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_index_of_decisions_has_their_titles() -> None:
    folder = ROOT / "docs/decisions"
    titles = {
        path.name: path.read_text(encoding="utf-8").partition("\n")[0] for path in sorted(folder.glob("[0-9]*.md"))
    }
    rows = re.findall(
        r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \|$", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(titles) >= LEAST_DECISIONS
    assert {name: f"# {number}: {title}" for number, name, title in rows} == titles
