"""docs/explanation/architecture.md describes the tree as it is, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")


def test_every_room_is_described() -> None:
    rooms = [path.name for path in (ROOT / "agent/harbor_agent").iterdir() if (path / "__init__.py").exists()]
    assert rooms
    assert [room for room in rooms if f"`agent/{room}/`" not in TEXT or f"**{room}**" not in TEXT] == []


@pytest.mark.parametrize("path", sorted((ROOT / "agent").rglob("*.sh")), ids=lambda path: path.name)
def test_every_program_is_described(path: Path) -> None:
    assert f"`{path.name}`" in TEXT


def test_every_word_of_the_journal_is_described() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "agent").rglob("*.sh"))
    words = {word.rstrip("-") for word in re.findall(r"(?<!/)\bjournal \"?([a-z_]{4,}-?)", text)}
    assert "rolled_back" in words
    assert {word for word in words if not re.search(rf"`{word}(-N)?`", TEXT)} == set()


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_local_link_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
