"""Every text that people read has a Chinese translation with the same values, in the words of docs/STYLE.md."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harbor_agent.language.template import Template

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / ".ci/texts"))

from update import FOLDER, collect_messages, read_catalogue, render_catalogue  # noqa: E402 - a script beside others

ROOMS = collect_messages()
CATALOGUES = {path.stem: read_catalogue(path) for path in sorted(FOLDER.glob("*.po"))}
LEAST_MESSAGES = 2000
ENDINGS = frozenset({"plural"})  # of English words, such as the "s" of "nodes"
BANNED = [
    word
    for row in (ROOT / "docs/STYLE.md").read_text(encoding="utf-8").partition("\n## 中文\n")[2].splitlines()
    if row.startswith("| `")
    for word in row.split("|")[1].replace("`", "").strip().split("、")
]


def test_the_texts_and_the_words_are_found() -> None:
    assert sum(map(len, CATALOGUES.values())) >= LEAST_MESSAGES
    assert {"你", "排干"} <= set(BANNED)


def test_every_room_has_a_catalogue() -> None:
    assert CATALOGUES.keys() == ROOMS.keys()


@pytest.mark.parametrize("room", ROOMS)
def test_every_text_is_translated(room: str) -> None:
    """If this fails, see "Texts and their translations" in docs/development.md."""
    assert [text for text in ROOMS[room] if not CATALOGUES[room].get(text)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_catalogue_is_what_make_texts_writes(room: str) -> None:
    path = FOLDER / f"{room}.po"
    assert render_catalogue(ROOMS[room], CATALOGUES[room]).decode() == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("room", CATALOGUES)
def test_a_translation_has_the_values_of_its_text(room: str) -> None:
    """Values that follow each other without text between them are one value, and stay together."""
    pairs = [(text, said, Template(text, said).values) for text, said in CATALOGUES[room].items()]
    assert [(text, said) for text, said, (ours, theirs) in pairs if ours - ENDINGS != theirs] == []


@pytest.mark.parametrize("room", CATALOGUES)
def test_a_translation_uses_the_words_of_the_glossary(room: str) -> None:
    assert [said for said in CATALOGUES[room].values() if any(word in said for word in BANNED)] == []
