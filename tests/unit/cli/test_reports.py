"""-o of the commands about nodes: each format is whole on standard output, also of an early end, and has no secret."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from lxml import html

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Ran, Runner

FORMATS = ["markdown", "junit", "html"]
REGISTRY = ("--registry", "h.lan")
SECRET = "Cha0tic-Passw0rd"


def check_format(ran: Ran, form: str) -> str:
    """Return the document, which is one of its format."""
    if form == "html":
        assert ran.out.startswith("<!DOCTYPE html>")
        assert ran.out.endswith("</html>\n")
    elif form == "junit":
        assert ET.fromstring(ran.out).tag == "testsuites"
    else:
        assert ran.out.startswith("**")
    return ran.out


@pytest.mark.parametrize("form", FORMATS)
def test_each_command_about_nodes_prints_it(run: Runner, tree: Path, form: str) -> None:
    root = ("--root", str(tree))
    planned = run("plan", *root, *REGISTRY, "-o", form, "--exit-code")
    assert planned.rc == 3
    assert "insecure-registry=h.lan" in check_format(planned, form)
    applied = run("apply", *root, *REGISTRY, "-o", form, "--yes")
    assert applied.rc == 0
    assert "insecure-registry=h.lan" in check_format(applied, form)
    assert "Done: 1 changed, 1 not proven by a pull" in applied.out
    assert "1 unchanged" in check_format(run("plan", *root, *REGISTRY, "-o", form), form)


@pytest.mark.parametrize(
    ("command", "form"),
    [("plan", "markdown"), ("apply", "junit"), ("verify", "html"), ("drift", "junit"), ("rollback", "markdown")],
)
def test_an_early_end_is_a_document_too(run: Runner, command: str, form: str) -> None:
    ran = run(command, "-i", "no-such-file", "-o", form, *(["--pristine"] if command == "rollback" else []))
    assert ran.rc == 2
    assert "no-such-file" in check_format(ran, form)
    assert "no-such-file" in ran.err


@pytest.mark.parametrize(
    ("form", "spelling"),
    [
        ("junit", ["-o", "junit"]),
        ("junit", ["-ojunit"]),
        ("markdown", ["--output", "markdown"]),
        ("html", ["--output=html"]),
    ],
)
def test_a_command_line_that_cannot_be_read_is_answered_in_its_format(
    run: Runner, form: str, spelling: list[str]
) -> None:
    ran = run("plan", *spelling, "--no-such-option")
    assert ran.rc == 2
    assert "no-such-option" in check_format(ran, form)


def test_other_commands_have_no_such_format(run: Runner) -> None:
    ran = run("history", "-o", "markdown")
    assert ran.rc == 2
    assert "markdown" in ran.err


@pytest.mark.parametrize("form", FORMATS)
def test_an_unconfirmed_run_is_a_document_too(run: Runner, tree: Path, form: str) -> None:
    ran = run("apply", "--root", str(tree), *REGISTRY, "-o", form)
    assert ran.rc == 7
    assert "not-confirmed" in check_format(ran, form)
    assert "insecure-registry=h.lan" in ran.err


@pytest.mark.parametrize("form", [*FORMATS, "json", "text"])
def test_nothing_secret_is_in_any_format(run: Runner, tree: Path, form: str) -> None:
    (tree / "etc/docker").mkdir()
    proxies = {"http-proxy": f"http://me:{SECRET}@proxy:3128"}
    daemon = {"labels": [f"token={SECRET}"], "insecure-registries": [], "proxies": proxies}
    (tree / "etc/docker/daemon.json").write_text(json.dumps(daemon, indent=2))
    arguments = (
        "--root",
        str(tree),
        *REGISTRY,
        "--route",
        "daemon-json",
        "--assume-docker-version",
        "24.0",
        "--username",
        "me",
        "--password-stdin",
    )
    planned = run("plan", *arguments, "-o", form, stdin=SECRET)
    assert planned.rc == 0
    assert "http-proxy" in planned.out
    assert planned.out.count("***") >= 2
    assert SECRET not in planned.out + planned.err


@pytest.mark.parametrize("form", FORMATS)
def test_a_document_is_utf_8_in_every_locale(run: Runner, tree: Path, form: str) -> None:
    arguments = ("apply", "--root", str(tree), *REGISTRY, "--yes", "--note", "维护窗口", "-o", form)
    ran = run(*arguments, LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="1")
    assert ran.rc == 0
    assert "维护窗口" in check_format(ran, form)


# What quotes files and commands is the same in every language.
QUOTES = "//script | //style | //pre | //code"
ENGLISH_CLAUSE = re.compile(r"(?<![\w/.=-])[a-z]{2,} [a-z]{2,} [a-z]{2,}(?![\w/.=-])")


def read_page(text: str) -> tuple[str | None, str]:
    """Return the language of a page and its texts, without what it quotes."""
    page = html.document_fromstring(text.encode(), parser=html.HTMLParser(encoding="utf-8"))
    for quote in page.xpath(QUOTES):
        quote.drop_tree()
    return page.get("lang"), "\n".join(page.itertext())


@pytest.mark.parametrize("command", [("plan", "--exit-code"), ("apply", "--yes")])
def test_a_page_is_in_the_language_of_the_command(run: Runner, tree: Path, command: tuple[str, ...]) -> None:
    language, texts = read_page(
        run(*command, "--root", str(tree), *REGISTRY, "-o", "html", "--note", "维护", "--lang", "zh").out
    )
    assert language == "zh-Hans"
    assert not ENGLISH_CLAUSE.findall(texts), texts
    assert {"概览", "备注", "差异"} <= set(texts.split("\n"))


def test_a_comment_is_in_the_language_of_the_command(run: Runner, tree: Path) -> None:
    text = run("plan", "--root", str(tree), *REGISTRY, "-o", "markdown", "--lang", "zh").out
    assert text.startswith("**计划：1 个待改动")
    assert not ENGLISH_CLAUSE.findall(re.sub(r"(?s)```diff.*?```", "", text)), text


def test_an_early_end_is_in_the_language_of_the_command(run: Runner) -> None:
    language, texts = read_page(run("plan", "-i", "no-such-file", *REGISTRY, "-o", "html", "--lang", "zh").out)
    assert (language, "提前结束，退出码 2" in texts) == ("zh-Hans", True)
    assert not ENGLISH_CLAUSE.findall(texts), texts


def test_junit_is_english_in_every_language(run: Runner, tree: Path) -> None:
    arguments = ("plan", "--root", str(tree), *REGISTRY, "-o", "junit", "--exit-code")
    english, chinese = (re.sub(r' time="[^"]*"', "", run(*arguments, "--lang", one).out) for one in ("en", "zh"))
    assert chinese == english
    assert "Plan: 1 to change" in english
