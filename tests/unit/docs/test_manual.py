"""The manual pages are made of the commands: every command and option is there, and groff finds nothing to warn of."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from harbor_agent.cli.main import app

ROOT = Path(__file__).resolve().parents[3]
LEAST_PAGES = 40
# What would be read as a request, an escape or a macro's argument.
ODD = ["-c ./x", "a\\b", "\\fBx", ".start", "'start", 'say "x"', "`code` of a.b", "naïve … 中文", "a^b~c"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages as `make man` writes them, even in a Chinese locale."""
    folder = tmp_path_factory.mktemp("man")
    command = [sys.executable, ROOT / ".ci/man/pages.py", folder]
    subprocess.run(command, check=True, timeout=60, env={**os.environ, "LC_ALL": "zh_CN.UTF-8"})
    return {path.stem: path for path in folder.iterdir()}


def show(page: Path) -> str:
    """Return a page as a terminal shows it. Fails if groff warns."""
    command = ["groff", "-man", "-ww", "-Tutf8", "-P-c", "-P-b", "-P-u", page]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout


def walk(command: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - whichever click typer brings
    found = {name: command}
    for below, one in getattr(command, "commands", {}).items():
        found |= walk(one, f"{name}-{below}")
    return found


def test_every_command_has_a_page_with_every_option(pages: dict[str, Path]) -> None:
    commands = walk(typer.main.get_command(app), "harbor-agent")
    assert pages.keys() == commands.keys()
    assert len(pages) >= LEAST_PAGES
    for name, command in commands.items():
        text = pages[name].read_text(encoding="utf-8").replace("\\-", "-")
        labels = " ".join(re.findall(r"^\.TP\n\\fB(.*)\\fR$", text, re.MULTILINE))
        options = {option for one in command.params for option in one.opts if option.startswith("-")}
        assert {option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", labels)} == set()
        assert "Examples" not in text or ".SH EXAMPLES" in text


@pytest.mark.needs("groff")
def test_groff_shows_every_page_without_a_warning(pages: dict[str, Path]) -> None:
    shown = {name: show(page) for name, page in pages.items()}
    assert "harbor-agent apply [OPTIONS]" in shown["harbor-agent-apply"]
    assert "harbor-agent explain [OPTIONS] [CODE]...\n" in shown["harbor-agent-explain"]
    assert "harbor-agent merge [OPTIONS] RUN.json...\n" in shown["harbor-agent-merge"]
    assert re.search(r"^ +--max-drifted N\|P%$", shown["harbor-agent-drift"], re.MULTILINE)
    assert "       harbor-agent explain host-key-unknown\n" in shown["harbor-agent-explain"]
    assert "harbor-agent-trust-hosts(1)" in shown["harbor-agent"]


@pytest.mark.needs("groff")
def test_text_that_groff_would_obey_is_shown_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / ".ci/man"))
    from pages import render_row  # type: ignore[import-not-found] # noqa: PLC0415 - beside the build that uses it

    page = tmp_path / "odd.1"
    lines = [line for text in ODD for line in render_row("label", text)]
    page.write_text("\n".join(['.TH ODD 1 "" "" ""', ".nh", *lines, ""]), encoding="utf-8")
    shown = show(page)
    assert [text for text in ODD if text.replace("`", "") not in shown] == []
