"""Every command that the documentation shows is one that the program takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from harbor_agent.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [
    "README.md",
    "README.zh.md",
    "inventory.example",
    "docs/reference/harbor-agent.example.yaml",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md")) if "runbooks" not in path.parts),
]
RUNBOOKS = sorted((ROOT / "docs/runbooks").rglob("*.md"))
LEAST_DOCUMENTS, LEAST_RUNBOOKS, LEAST_SHOWN = 45, 480, 100
PROGRAM = typer.main.get_command(app)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def shown(text: str) -> list[list[str]]:
    """The commands in code blocks and in backticks, as words."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`(harbor-agent [^`]+)`", text)
    lines += re.findall(r"^# +(harbor-agent .+)$", text, re.MULTILINE)
    return [command for line in lines if (command := words(line))]


def words(line: str) -> list[str]:
    """What follows `harbor-agent` up to a pipe or a redirection; nothing for a line about something else."""
    _, name, rest = line.partition("harbor-agent ")
    before = line.removesuffix(name + rest)
    if not name or before.strip(" $"):
        return []
    command = re.split(r"[|<>]", rest.replace("\\|", "|"), maxsplit=1)[0]
    return shlex.split(command.replace("…", ""), comments=True)


def every_command(command: Any) -> Iterator[Any]:  # noqa: ANN401 - whichever click typer brings
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from every_command(below)


def parse(arguments: list[str]) -> None:
    """Read the arguments as the program would, without running anything. Raises click's UsageError."""
    command = PROGRAM
    context = command.make_context("harbor-agent", list(arguments))
    while isinstance(command, typer.core.TyperGroup):
        rest = [*context._protected_args, *context.args]  # noqa: SLF001 - where click keeps what a group was given
        if not rest or rest == ["COMMAND"]:
            return
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


def test_every_document_is_looked_at() -> None:
    assert len(DOCUMENTS) >= LEAST_DOCUMENTS
    assert len(RUNBOOKS) >= LEAST_RUNBOOKS
    assert sum(len(shown(text_of(name))) for name in DOCUMENTS) >= LEAST_SHOWN


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_shown_is_taken(name: str) -> None:
    for command in shown(text_of(name)):
        if command[0] in {"COMMAND", "--install-completion", "--help"} or command[1:] == ["--help"]:
            continue
        parse(command)


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_a_runbook_is_taken(path: Path) -> None:
    for command in shown(path.read_text(encoding="utf-8")):
        if command != ["--version"] and command[1:] != ["--help"]:
            parse(command)


def test_every_example_in_a_help_text_is_taken() -> None:
    texts = [command.epilog for command in every_command(PROGRAM) if command.epilog]
    examples = [line for text in texts for line in text.splitlines() if line.startswith("  ")]
    assert len(examples) > len(texts)
    for line in examples:
        parse(words(line.strip()))


def test_commands_are_found_in_the_documents() -> None:
    assert ["plan", "-i", "inventory.ini", "--registry", "192.168.0.99"] in shown(text_of("README.md"))
    found = shown(text_of("docs/guides/daily-work.md"))
    assert ["render", "--registry", "192.168.0.99"] in found
    assert any(command[:2] == ["secret", "validate"] for command in found)


def test_a_command_that_does_not_exist_is_found_out() -> None:
    with pytest.raises(Exception, match="No such command 'bogus'"):
        parse(["bogus"])
    with pytest.raises(Exception, match="No such option: --bogus"):
        parse(["secret", "apply", "--bogus"])
