"""Every problem code that the program can report has its row in the runbooks, in both languages."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from agent.model.result import PullVerdict, TransactionPhase

ROOT = Path(__file__).resolve().parents[3]
RUNBOOKS = ROOT / "docs/runbooks"
LANGUAGES = ["README.md", "README.zh.md"]

CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# What takes a code as its first argument.
MAKERS = {"of", "RefusedError", "refuse", "error", "_note", "_foreign"}
SHELL_CODES = (
    re.compile(r"\b(?:fail|refuse) ([a-z-]+) ", re.MULTILINE),
    re.compile(r"\brestore ([a-z]+-[a-z-]+) "),
    re.compile(r"\bjournal [a-z_]+ ([a-z]+-[a-z-]+) "),
    re.compile(r"\bstep_code=([a-z-]+)"),
    re.compile(r"frame \"\$ID\" [a-z_]+ \S+ ([a-z]+-[a-z-]+) "),
    re.compile(r"'unreadable ([a-z-]+) "),
)
# Composed at run time from a verdict or a phase.
COMPOSED = {f"pull-{verdict}" for verdict in PullVerdict if verdict is not PullVerdict.PULLED} | {
    phase.replace("_", "-") for phase in TransactionPhase if phase is not TransactionPhase.COMMITTED
}


def constants(node: ast.AST) -> set[str]:
    """The codes an expression may be: itself, or either side of a condition."""
    match node:
        case ast.Constant(value=str() as text) if CODE.fullmatch(text):
            return {text}
        case ast.IfExp(body=body, orelse=orelse):
            return constants(body) | constants(orelse)
    return set()


def codes_in(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=arguments, keywords=keywords):
                if name in MAKERS and arguments:
                    found |= constants(arguments[0])
                for keyword in keywords:
                    if keyword.arg == "code":
                        found |= constants(keyword.value)
            case ast.Assign(targets=[ast.Name(id="code")], value=value):
                found |= constants(value)
    return found


@cache
def emitted() -> set[str]:
    found = set(COMPOSED)
    for path in (ROOT / "agent").rglob("*.py"):
        found |= codes_in(ast.parse(path.read_text(encoding="utf-8")))
    for path in (ROOT / "agent/node").glob("*.sh"):
        text = path.read_text(encoding="utf-8")
        found |= {code for pattern in SHELL_CODES for code in pattern.findall(text)}
    return found


def text_of(name: str) -> str:
    return (RUNBOOKS / name).read_text(encoding="utf-8")


def rows(name: str) -> list[str]:
    """The codes of the rows, each with an anchor of its own name."""
    found: list[str] = []
    for line in text_of(name).splitlines():
        if line.startswith("| <a id="):
            anchors = re.findall(r'<a id="([^"]+)"></a>`([^`]+)`', line.split(" | ")[0])
            assert all(anchor == code for anchor, code in anchors), line
            assert len(re.findall(r"(?<!\\)\|", line)) == 4, f"a pipe within a cell is written \\|: {line}"
            found += [code for _, code in anchors]
    return found


def headings(name: str) -> list[int]:
    """The levels of the headings, in order."""
    return [len(match) for match in re.findall(r"^(#+) ", text_of(name), re.MULTILINE)]


def anchors_of_headings(text: str) -> set[str]:
    """As GitHub derives them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_codes_are_found_wherever_they_stand() -> None:
    known = {
        "registry-missing",  # UsageError.of(…)
        "docker-absent",  # RefusedError(…)
        "ssh-auth-failed",  # Problem(code=…)
        "registry-timeout",  # assigned first
        "program-timeout",  # one side of a condition
        "node-answer-unknown",  # refuse(…)
        "host-key-changed",  # target.error(…)
        "registry-open",  # noted
        "config-missing",  # a fault of a start
        "containers-not-running",  # shell: fail
        "not-root",  # shell: refuse
        "transaction-interrupted",  # shell: restore and journal
        "journal-unreadable",  # shell: step_code
        "process-unreadable",  # shell: a line of the probe
        "pull-insecure-refused",
    }
    assert known <= emitted()


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_code_has_its_row(name: str) -> None:
    assert sorted(emitted() - set(rows(name))) == []


@pytest.mark.parametrize("name", LANGUAGES)
def test_no_row_names_a_code_that_does_not_exist(name: str) -> None:
    assert sorted(set(rows(name)) - emitted()) == []


@pytest.mark.parametrize("name", LANGUAGES)
def test_no_code_has_two_rows(name: str) -> None:
    assert len(rows(name)) == len(set(rows(name)))


def test_both_languages_have_the_same_shape() -> None:
    assert rows("README.md") == rows("README.zh.md")
    assert headings("README.md") == headings("README.zh.md")
    blocks = [re.findall(r"^```\w*\n(.*?)^```$", text_of(name), re.MULTILINE | re.DOTALL) for name in LANGUAGES]
    assert blocks[0] == blocks[1]
    assert blocks[0]


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_link_within_leads_somewhere(name: str) -> None:
    text = text_of(name)
    targets = {*re.findall(r'<a id="([^"]+)"', text), *anchors_of_headings(text)}
    assert [link for link in re.findall(r"\]\(#([^)]+)\)", text) if link not in targets] == []
