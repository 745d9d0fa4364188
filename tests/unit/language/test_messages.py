"""What the planner says about every case of tests/cases/docker is shown in Chinese, and none of it in English."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from harbor_agent import resources
from harbor_agent.language.catalogue import Catalogue
from harbor_agent.model.plan import Refusal
from tests.unit.planning.docker.test_cases import ALL

if TYPE_CHECKING:
    from tests.unit.planning.docker.test_cases import Case

CHINESE = Catalogue.parse(resources.read_translations("zh"))
# Three English words in a row that are not in quotes, as a command, a path or what a file says is.
SENTENCE = re.compile(r"(?<![\w'`/$.=-])[A-Za-z]+ [a-z]{2,} [a-z]{2,}")
QUOTED = re.compile(r"'[^']*'|`[^`]*`")
LEAST_TEXTS = 35


def list_texts(case: Case) -> list[str]:
    texts = []
    for state in (case.live, case.tree):
        decision = case.plan(state)
        problems = [*decision.warnings, *([decision.problem] if isinstance(decision, Refusal) else [])]
        texts += [text for one in problems for text in (one.message, one.hint) if text]
        texts += [] if isinstance(decision, Refusal) else [decision.reason]
    return texts


def test_there_is_much_to_say() -> None:
    assert len({text for case in ALL for text in list_texts(case)}) >= LEAST_TEXTS


@pytest.mark.parametrize("case", ALL, ids=[case.name for case in ALL])
def test_nothing_stays_english(case: Case) -> None:
    shown = {text: CHINESE.translate(text) for text in list_texts(case)}
    assert {text: said for text, said in shown.items() if text == said or SENTENCE.search(QUOTED.sub("''", said))} == {}
