"""The contract in docs/explanation/architecture.md is the one that the program keeps."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from harbor_agent.cli.main import app
from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
CONTRACT = TEXT.partition("## Contract")[2]
SCHEMAS = sorted((ROOT / "docs/schemas").glob("*.json"))
OF_TYPER = {"--install-completion", "--show-completion"}


def commands(command: object, name: str = "") -> Iterator[tuple[str, object]]:
    yield name, command
    for child, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{name} {child}".strip())


COMMANDS = dict(commands(typer.main.get_command(app)))


def members(schema: object) -> Iterator[str]:
    """Every member that a schema names."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for below in schema.values():
            yield from members(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from members(below)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name])
def test_every_command_is_in_the_contract(name: str) -> None:
    assert f"`{name}" in CONTRACT


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_contract(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts if option.startswith("--")}
    assert {option for option in options - OF_TYPER if not re.search(rf"{option}\b", CONTRACT)} == set()


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_every_member_of_a_document_is_in_the_contract(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert f"`{schema['$id']}`" in CONTRACT
    assert {member for member in members(schema) if f"`{member}`" not in CONTRACT} - {"schema"} - _counted(
        schema
    ) == set()


def _counted(schema: dict[str, object]) -> set[str]:
    """The members of `summary`: the words of statuses and outcomes."""
    summary = schema.get("properties", {}).get("summary", {})
    return {member for member in members(summary) if re.search(rf"\b{member}\b", CONTRACT)}


def test_every_exit_code_is_in_the_contract() -> None:
    rows = {number for row in re.findall(r"^\| ([0-9, ]+) \|", CONTRACT, re.MULTILINE) for number in row.split(", ")}
    assert rows == {str(int(code)) for code in ExitCode}


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
