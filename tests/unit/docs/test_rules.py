"""The rules are numbered alike in the reference, in the code and in what tests/mutation removes."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
_MARKER = re.compile(r"# rule ((?:[A-Z]{2}-\d\d(?:, )?)+)")
_ROW = re.compile(r"^\| ([A-Z]{2}-\d\d) ", re.MULTILINE)


def test_rules_are_numbered_alike_in_docs_code_and_data() -> None:
    rules = yaml.safe_load((ROOT / "tests/mutation/rules.yaml").read_text(encoding="utf-8"))
    documented = _ROW.findall((ROOT / "docs/reference/rules.md").read_text(encoding="utf-8"))
    assert documented == [facts["rule"] for facts in rules]
    for facts in rules:
        text = (ROOT / facts["file"]).read_text(encoding="utf-8")
        assert facts["rule"] in ", ".join(_MARKER.findall(text)), f"{facts['file']} has no mark of {facts['rule']}"
        assert text.count(facts["old"]) == 1, f"{facts['rule']}: its text is not there once, as it is in rules.yaml"
