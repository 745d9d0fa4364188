"""docs/reference is the contract that the program keeps: commands, options, settings, JSON members, exit codes."""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from harbor_agent.cli.main import app
from harbor_agent.engine.history.query import RunState
from harbor_agent.errors import ExitCode
from harbor_agent.model.plan import Action, LiveRestore, Route
from harbor_agent.model.policy import (
    CredentialsSource,
    DriftLimits,
    Policy,
    ReceiverSource,
    Registry,
    ResolvePolicy,
    Rollout,
    SecretPolicy,
)
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import RunKind
from harbor_agent.model.secret import SecretAction
from harbor_agent.model.workloads.kinds import find_template_paths, list_custom_kinds
from harbor_agent.planning.config.settings import SETTINGS
from harbor_agent.planning.drift import DriftStatus
from harbor_agent.planning.secrets.retention import Retention
from harbor_agent.transport.ssh.host_keys import KeyStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.planning.config.kinds import Kind, Setting

DOCS = Path(__file__).resolve().parents[3] / "docs"
OF_TYPER = {"--install-completion", "--show-completion", "--help", "-h"}
OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
LEAST_COMMANDS, LEAST_OPTIONS, LEAST_SCHEMAS, LEAST_KEYS = 24, 50, 12, 27


def read(name: str) -> str:
    return (DOCS / "reference" / name).read_text(encoding="utf-8")


def sections(text: str, level: str) -> dict[str, str]:
    """The text below each heading of a level, by heading."""
    return {
        match[1]: match[2] for match in re.finditer(rf"^{level} (.+)\n((?:(?!^{level} ).*\n?)*)", text, re.MULTILINE)
    }


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without their headings; a `\\|` within a cell is a `|`."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [[cell.replace("\\|", "|") for cell in row] for row in cells]


def every_command(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - whichever click typer brings
    children = getattr(command, "commands", {})
    if name and (not children or getattr(command, "invoke_without_command", False)):
        yield name, command
    for child, below in children.items():
        yield from every_command(below, f"{name} {child}".strip())


def options_of(command: Any) -> set[str]:  # noqa: ANN401 - as above
    return {option for one in command.params for option in one.opts if option.startswith("-")} - OF_TYPER


COMMANDS = dict(every_command(typer.main.get_command(app)))
CLI = read("cli.md")
GROUPS = {
    name: {option for row in rows(text) for option in OPTION.findall(row[0])}
    for name, text in sections(CLI.partition("## Groups of options")[2].partition("\n## ")[0], "###").items()
}
ROWS = {
    re.sub(r"\s*(\[.*|[A-Z].*)$", "", row[0].strip("`")): row
    for row in rows(sections(CLI, "##")["Commands"])
    if row[0].startswith("`")
}


def test_the_commands_of_the_reference_are_those_of_the_program() -> None:
    assert len(COMMANDS) >= LEAST_COMMANDS
    assert ROWS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_command_are_in_its_row(name: str) -> None:
    _, _, cell = ROWS[name]
    groups = ["every", *re.findall(r"\*\*(\w+)\*\*", cell)]
    documented = set(OPTION.findall(cell)).union(*(GROUPS[group] for group in groups))
    real = options_of(COMMANDS[name])
    long = {option for option in documented if option.startswith("--")}
    assert long == {option for option in real if option.startswith("--")}
    assert documented <= real


def test_every_option_is_explained_once() -> None:
    tables = [*GROUPS.values(), *(set(OPTION.findall(row[0])) for row in rows(sections(CLI, "##")["Other options"]))]
    explained = [option for table in tables for option in table]
    assert len(explained) == len(set(explained)) >= LEAST_OPTIONS
    assert set(explained) == {option for command in COMMANDS.values() for option in options_of(command)}


def test_repeatable_options_are_called_so() -> None:
    repeatable = {
        one.opts[-1] for command in COMMANDS.values() for one in command.params if getattr(one, "multiple", 0)
    }
    assert "--inventory" in repeatable
    assert {option for option in repeatable if not re.search(rf"{option}\b.*repeatable", CLI)} == set()


def members(schema: object) -> Iterator[str]:
    """Every member that a schema names."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for below in schema.values():
            yield from members(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from members(below)


JSON = read("json.md")
SCHEMAS = sorted((DOCS / "schemas").glob("*.json"))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_every_member_of_a_document_is_in_its_section(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    name = f"`{schema['$id']}`"
    found = sections(JSON, "##")
    texts = [found["Members that several documents share"], found.get(name, "")]
    texts += [found["Secrets"]] if name in found["Secrets"] else []
    texts += [found["`harbor-agent/dns/2`"]] if "dns" in schema["properties"] else []
    assert name in found or name in found["Secrets"]
    assert {member for member in members(schema) if not any(f"`{member}`" in text for text in texts)} == set()


def test_every_document_is_listed_and_has_a_schema() -> None:
    listed = re.findall(r"^\| `harbor-agent/([a-z-]+)/(\d+)` \|", JSON, re.MULTILINE)
    assert sorted(f"{name}-{number}" for name, number in listed) == [path.stem for path in SCHEMAS]
    assert len(SCHEMAS) >= LEAST_SCHEMAS


def test_every_word_of_a_status_is_listed() -> None:
    kinds = (Outcome, DriftStatus, KeyStatus, Route, Action, SecretAction, RunState, RunKind, Retention, LiveRestore)
    assert [word.value for kind in kinds for word in kind if f"`{word.value}`" not in JSON] == []


def test_the_exit_codes_of_the_reference_are_those_of_the_program() -> None:
    numbers = {number for row in rows(read("exit-codes.md")) for number in row[0].split(", ")}
    assert numbers - {"code"} == {str(int(code)) for code in ExitCode}


def keys(prefix: str, *classes: type) -> Iterator[tuple[str, object]]:
    """The keys of settings with their defaults."""
    for one in classes:
        yield from ((f"{prefix}{field.name}", field.default) for field in fields(one))


def known_keys() -> dict[str, object]:
    found = dict(keys("", Policy))
    found |= keys("registries[].", Registry)
    found["registries[].state"] = found.pop("registries[].presence")
    found |= keys("registries[].credentials.", CredentialsSource)
    found |= keys("registries[].secret.", SecretPolicy)
    found |= keys("registries[].resolve.", ResolvePolicy)
    found |= keys("rollout.", Rollout)
    found |= keys("drift.", DriftLimits)
    found |= keys("notify[].", ReceiverSource)
    for not_written in (
        "registries[].credentials.password",
        "registries[].certificates",
        "registries[].ca_ends",
        "registries[].login",
        "rollout",
        "drift",
    ):
        del found[not_written]
    return found


def test_the_settings_of_the_reference_are_those_of_the_program() -> None:
    table = {
        row[0].strip("`"): row[1] for row in rows(sections(read("configuration.md"), "##")["Keys of harbor-agent.yaml"])
    }
    table.pop("key")
    known = known_keys()
    assert len(known) >= LEAST_KEYS
    assert table.keys() == known.keys()
    for key, default in known.items():
        if default in (None, "", (), MISSING):
            assert not table[key].startswith("`"), key
        else:
            assert table[key] == f"`{written(default)}`", key


def described_keys(kind: Kind, prefix: str = "") -> Iterator[tuple[str, Setting]]:
    """The settings of the parser by their keys, as the reference writes them."""
    for setting in kind.settings:
        yield f"{prefix}{setting.key}", setting
        below = f"{prefix}{setting.key}{'[]' if 'array' in setting.kind.schema.get('type', ()) else ''}."
        yield from described_keys(setting.kind, below)


def test_a_setting_has_one_meaning_and_default_in_parser_schema_and_reference() -> None:
    table = {
        row[0].strip("`"): row[1:]
        for row in rows(sections(read("configuration.md"), "##")["Keys of harbor-agent.yaml"])
    }
    table.pop("key")
    known = dict(described_keys(SETTINGS))
    assert known.keys() - table.keys() == {"rollout", "drift", "registries[].credentials.password"}
    assert {key: row[1] for key, row in table.items()} == {key: known[key].meaning for key in table}
    for key, (default, _) in table.items():
        setting = known[key].default
        assert default.startswith("`") == (setting is not None), key
        assert setting is None or default == f"`{written(setting)}`", key


def written(default: object) -> str:
    """A default as it is written in YAML."""
    if isinstance(default, tuple | list):
        return f"[{', '.join(default)}]"
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_the_kinds_with_pod_templates_are_those_of_the_program() -> None:
    table = {row[0].strip("`"): row[1] for row in rows(sections(read("cli.md"), "##")["Kinds with pod templates"])}
    table.pop("API group")
    listed = {group: tuple(name.strip("`") for name in names.split(", ")) for group, names in table.items()}
    custom = list_custom_kinds()
    assert {group: kinds for group, kinds in listed.items() if group in custom} == custom
    core = {"core (v1)": "", "apps": "apps", "extensions": "extensions", "batch": "batch"}
    assert listed.keys() == {*custom, *core}
    assert all(find_template_paths(core[group], kind) for group in core for kind in listed[group])
