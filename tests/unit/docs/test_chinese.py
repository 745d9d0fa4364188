"""Chinese documents use the words of docs/STYLE.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [
    ROOT / "README.zh.md",
    *sorted((ROOT / "docs").rglob("*.zh.md")),
    *sorted((ROOT / "docs/runbooks/zh").glob("*.md")),
]
LEAST_DOCUMENTS, LEAST_WORDS = 200, 5


def banned() -> list[str]:
    section = (ROOT / "docs/STYLE.md").read_text(encoding="utf-8").partition("\n## 中文\n")[2]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row)]


def test_the_words_and_the_documents_are_found() -> None:
    assert len(banned()) >= LEAST_WORDS
    assert len(DOCUMENTS) >= LEAST_DOCUMENTS


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_uses_a_banned_word(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [word for word in banned() if word in text] == []
