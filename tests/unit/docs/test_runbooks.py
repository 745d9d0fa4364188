"""Every problem code that the program can report has its page in both languages, and its place in both indexes."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from harbor_agent.model.result import CertificateFault, PullVerdict, TransactionPhase
from harbor_agent.node.wire.runtimes import RUNTIMES

ROOT = Path(__file__).resolve().parents[3]
RUNBOOKS = ROOT / "docs/runbooks"
INDEXES = {"en": "README.md", "zh": "README.zh.md"}
PAGES = {"en": RUNBOOKS, "zh": RUNBOOKS / "zh"}
SECTIONS = {
    "en": ["What you see", "Why it happens", "What to do", "How to check the fix", "Related"],
    "zh": ["现象", "原因", "处理", "确认", "相关"],
}
FULL_STOP = {"en": ".", "zh": "。"}
LEAST_CODES = 240
OPTIONAL = {"How to check the fix", "Related", "确认", "相关"}

CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# What takes a code as its first argument.
MAKERS = {"of", "RefusedError", "refuse", "error", "_note", "_build_foreign_fault"}
SHELL_CODES = (
    re.compile(r"\b(?:fail|refuse) ([a-z-]+) ", re.MULTILINE),
    re.compile(r"\brestore ([a-z]+-[a-z-]+) "),
    re.compile(r"\bjournal [a-z_]+ ([a-z]+-[a-z-]+) "),
    re.compile(r"\bstep_code=([a-z-]+)"),
    re.compile(r"frame \"\$ID\" [a-z_]+ \S+ ([a-z]+-[a-z-]+) "),
    re.compile(r"'unreadable ([a-z-]+) "),
)
# Composed at run time from a verdict, a phase, or the name of a runtime (unit.sh).
COMPOSED = {f"pull-{verdict}" for verdict in PullVerdict if verdict is not PullVerdict.PULLED} | {
    phase.replace("_", "-") for phase in TransactionPhase if phase is not TransactionPhase.COMMITTED
}
COMPOSED |= set(CertificateFault)
COMPOSED |= {f"{runtime}-start-{end}" for runtime in RUNTIMES for end in ("failed", "timeout")}
COMPOSED |= {f"{runtime}-not-running" for runtime in RUNTIMES if runtime != "podman"}


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
    for path in (ROOT / "agent").rglob("*.sh"):
        text = path.read_text(encoding="utf-8")
        found |= {code for pattern in SHELL_CODES for code in pattern.findall(text)}
    return found


def pages(language: str) -> dict[str, str]:
    found = {path.stem: path.read_text(encoding="utf-8") for path in sorted(PAGES[language].glob("*.md"))}
    return {code: text for code, text in found.items() if not code.startswith("README")}


def index(language: str) -> str:
    return (RUNBOOKS / INDEXES[language]).read_text(encoding="utf-8")


def rows(language: str) -> dict[str, str]:
    """The meaning of each code in the index, in order; each code is linked to its page."""
    folder = "" if language == "en" else f"{language}/"
    found: dict[str, str] = {}
    for line in index(language).splitlines():
        if line.startswith("| ["):
            row = re.fullmatch(rf"\| \[([a-z0-9-]+)\]\({folder}\1\.md\) \| (.+) \|", line)
            assert row, line
            assert row[1] not in found, f"{row[1]} has two rows"
            found[row[1]] = row[2].replace("\\|", "|")
    return found


def headings(text: str) -> list[int]:
    """The levels of the headings, in order."""
    return [len(match) for match in re.findall(r"^(#+) ", text, re.MULTILINE)]


def blocks(text: str) -> list[str]:
    return re.findall(r"^ *```\w*\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def shape(text: str) -> list[list[str]]:
    """For each section, how its lines begin: what must be the same in both languages."""
    sections = re.split(r"^## .+$", text, flags=re.MULTILINE)
    return [re.findall(r"^(?:- |\d+\. |\[| *```)", section, re.MULTILINE) for section in sections]


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
    assert len(emitted()) >= LEAST_CODES


@pytest.mark.parametrize("language", PAGES)
def test_every_code_has_its_page(language: str) -> None:
    assert sorted(emitted() - pages(language).keys()) == []


@pytest.mark.parametrize("language", PAGES)
def test_no_page_is_about_a_code_that_does_not_exist(language: str) -> None:
    assert sorted(pages(language).keys() - emitted()) == []


@pytest.mark.parametrize("language", PAGES)
def test_a_page_has_its_code_as_title_and_the_sections_in_order(language: str) -> None:
    for code, text in pages(language).items():
        title, empty, meaning, empty_too = text.splitlines()[:4]
        assert (title, empty, empty_too) == (f"# {code}", "", ""), code
        assert meaning.endswith(FULL_STOP[language]), f"{code}: {meaning}"
        found = re.findall(r"^## (.+)$", text, re.MULTILINE)
        expected = [name for name in SECTIONS[language] if name in found or name not in OPTIONAL]
        assert found == expected, code


def test_both_languages_show_the_same_commands_and_messages() -> None:
    english, chinese = pages("en"), pages("zh")
    for code in sorted(english.keys() & chinese.keys()):
        texts = english[code], chinese[code]
        assert blocks(texts[0]) == blocks(texts[1]), code
        quoted = [sorted(re.findall(r"`([^`\n]+)`", text)) for text in texts]
        assert quoted[0] == quoted[1], code
        assert shape(texts[0]) == shape(texts[1]), code


@pytest.mark.parametrize("language", PAGES)
def test_the_index_has_every_page_with_its_meaning(language: str) -> None:
    assert rows(language) == {code: text.splitlines()[2] for code, text in pages(language).items()}


def test_both_indexes_have_the_same_shape() -> None:
    assert list(rows("en")) == list(rows("zh"))
    assert headings(index("en")) == headings(index("zh"))
    assert blocks(index("en")) == blocks(index("zh"))
