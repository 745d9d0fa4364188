"""The help of every command: whole summaries, options in panels, examples, and `help COMMAND`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from harbor_agent.cli.help import Panel
from harbor_agent.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.cli.conftest import Runner

PROGRAM = typer.main.get_command(app)
OF_THE_PROGRAM = {"version", "install_completion", "show_completion"}
CHANGING = (
    *("apply", "rollback", "trust-hosts", "schedule install", "schedule remove", "drift", "drift release"),
    *("secret apply", "secret remove", "workloads annotate", "lock release"),
)


def every_context(context: Any) -> Iterator[Any]:  # noqa: ANN401 - whichever click typer brings
    """A context for the program and for each command below it."""
    yield context
    for name, command in getattr(context.command, "commands", {}).items():
        yield from every_context(type(context)(command, info_name=name, parent=context))


def root(width: int) -> Any:  # noqa: ANN401 - likewise
    return PROGRAM.make_context(
        "harbor-agent", ["--help"], resilient_parsing=True, terminal_width=width, max_content_width=width
    )


def path_of(context: Any) -> str:  # noqa: ANN401 - likewise
    return context.command_path.removeprefix("harbor-agent").strip()


CONTEXTS = {path_of(context): context for context in every_context(root(80))}


def test_all_commands_are_seen() -> None:
    assert len(CONTEXTS) > 25
    assert {"", "apply", "plan show", "workloads annotate"} < set(CONTEXTS)


@pytest.mark.parametrize("name", CONTEXTS)
def test_nothing_is_cut_at_80_columns(name: str) -> None:
    text = CONTEXTS[name].command.get_help(CONTEXTS[name])
    commands = text.partition("Commands:")[2].partition("Examples:")[0]
    assert "..." not in commands
    assert "…" not in text
    assert all(len(line) <= 80 for line in text.partition("Examples:")[0].splitlines())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("explain", "[CODE]..."),
        ("diagnose", "[POD|IMAGE]"),
        ("help", "[COMMAND [SUBCOMMAND]]"),
        ("init", "[FILE]"),
        ("merge", "RUN.json..."),
        ("drift release", "NODE"),
        ("verify", ""),
    ],
)
def test_an_argument_is_shown_once_as_it_is_named(name: str, arguments: str) -> None:
    context = CONTEXTS[name]
    assert context.get_usage() == f"Usage: harbor-agent {name} [OPTIONS] {arguments}".rstrip()
    rows = context.command.get_help(context).partition("Arguments:\n  ")[2]
    assert rows.startswith(f"{arguments.replace('[FILE]', 'FILE')}  " if arguments else "")


@pytest.mark.parametrize("name", [name for name in CONTEXTS if name])
def test_a_summary_fits_the_list_of_commands(name: str) -> None:
    summary = str(CONTEXTS[name].command.help).partition("\n\n")[0]
    assert len(summary) <= 60
    assert summary.endswith((".", ")."))


@pytest.mark.parametrize("name", CONTEXTS)
def test_every_command_has_examples_of_itself(name: str) -> None:
    epilog = CONTEXTS[name].command.epilog or ""
    examples = [line.strip() for line in epilog.splitlines() if line.startswith("  harbor-agent")]
    assert examples
    assert all(line.startswith(f"harbor-agent {name}".rstrip()) for line in examples)


@pytest.mark.parametrize("name", [name for name in CONTEXTS if name])
def test_every_option_is_in_a_panel_and_explained(name: str) -> None:
    options = [one for one in CONTEXTS[name].command.params if one.param_type_name == "option"]
    assert {one.rich_help_panel for one in options} <= {panel.value for panel in Panel}
    assert [one.name for one in options if not one.help] == []
    text = CONTEXTS[name].command.get_help(CONTEXTS[name])
    titles = [line.removesuffix(":") for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    shown = [title for title in titles if title in {panel.value for panel in Panel}]
    assert shown == [panel.value for panel in Panel if panel.value in shown], "panels come in one order"
    assert ("Options" in titles) == (not options)


def test_an_option_says_what_it_does_in_that_command(run: Runner) -> None:
    assert "every node" not in run("secret", "validate", "--help").out
    assert "every node pulls" in " ".join(run("apply", "--help").out.split())
    assert "Registry to configure" not in run("verify", "--help").out


@pytest.mark.parametrize("name", CHANGING)
def test_what_changes_something_accepts_yes(name: str) -> None:
    assert any("--yes" in one.opts for one in CONTEXTS[name].command.params)


@pytest.mark.parametrize("name", ["", "apply", "secret", "secret validate", "plan", "plan show"])
def test_help_of_a_command_is_its_help(run: Runner, name: str) -> None:
    asked, shown = run("help", *name.split()), run(*name.split(), "--help")
    assert (asked.rc, asked.out, asked.err) == (0, shown.out, shown.err)
    assert asked.out.startswith("Usage: harbor-agent")


def test_help_of_no_command_is_a_wrong_command_line(run: Runner) -> None:
    ran = run("help", "secret", "validat")
    assert (ran.rc, ran.out) == (2, "")
    assert "no such command: secret validat" in ran.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["harbor-agent", "tru"], {"trust-hosts"}),
        (["harbor-agent", "secret", "va"], {"validate"}),
        (["harbor-agent", "help", "sch"], {"schedule", "schema"}),
        (["harbor-agent", "help", "schedule", "in"], {"install"}),
        (["harbor-agent", "apply", "--regis"], {"--registry"}),
    ],
)
def test_commands_and_options_are_completed(words: list[str], expected: set[str]) -> None:
    program = Path(sys.executable).with_name("harbor-agent")
    completing = {"_HARBOR_AGENT_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words)}
    environment = os.environ | completing | {"COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert set(done.stdout.split()) == expected
