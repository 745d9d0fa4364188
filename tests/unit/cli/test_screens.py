"""The command on a real terminal: what is on the screen at 80, 120 and 200 columns, and in which colors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.screen import assert_snapshot, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.screen import Shown

SCREENS = Path(__file__).parent / "screens"
PROGRAM = (sys.executable, "-m", "harbor_agent.cli")
PLAN = (*PROGRAM, "plan", "--registry", "192.168.0.99", "--root")
OPTIONS = (
    "--log-driver=json-file --log-opt max-size=100m --log-opt max-file=3 --storage-driver=overlay2 "
    "--insecure-registry=harbor.corp.example.com:5000 --data-root=/var/lib/docker --live-restore=true"
)
# The colors that every theme of a terminal defines so that they can be read on its background.
THEMED = {"default", "red", "green", "brown", "cyan"}


@pytest.fixture
def root(tree: Path) -> Iterator[Path]:
    """The tree of a node whose options are a line of 200 characters; its path is as long in every test."""
    (tree / "etc/default").mkdir()
    (tree / "etc/default/docker").write_text(f'# Docker\nDOCKER_OPTS="{OPTIONS}"\n', encoding="utf-8")
    with TemporaryDirectory(prefix="node-", dir="/tmp") as folder:
        yield tree.rename(folder)


def rename(shown: Shown, root: Path) -> str:
    """Return the screen with a path that is the same in every run."""
    return shown.text.replace(str(root), "/tmp/node-12345678")


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_a_plan_on_a_terminal(root: Path, columns: int) -> None:
    shown = show((*PLAN, str(root)), columns)
    assert shown.code == 0
    assert_snapshot(rename(shown, root), SCREENS / f"plan-{columns}.txt")
    assert "".join(shown.list_styled(reverse=True)) == "--insecure-registry=192.168.0.99"
    foregrounds, backgrounds = shown.list_colors()
    assert foregrounds <= THEMED
    assert backgrounds == {"default"}


@pytest.mark.parametrize(
    ("options", "environment", "colors"),
    [
        ((), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "never"), {}, False),
        ((), {"TERM": "dumb"}, False),
    ],
)
def test_colors_can_be_chosen_and_the_words_stay(
    root: Path, options: tuple[str, ...], environment: dict[str, str], *, colors: bool
) -> None:
    shown = show((*PLAN, str(root), *options), 80, env=environment)
    assert (b"\x1b[32m" in shown.written) is colors
    assert rename(shown, root) == (SCREENS / "plan-80.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(("language", "columns"), [("en", 80), ("zh", 60)])
def test_a_runbook_is_drawn_on_a_terminal(language: str, columns: int) -> None:
    shown = show((*PROGRAM, "explain", "host-key-unknown", "--lang", language), columns)
    assert_snapshot(shown.text, SCREENS / f"explain-{language}-{columns}.txt")
    assert shown.list_styled(bold=True)[0] == "host-key-unknown"
    assert "ssh-keygen -lf answers" in "".join(shown.list_styled(fg="cyan"))
    foregrounds, backgrounds = shown.list_colors()
    assert (foregrounds, backgrounds) == ({"default", "cyan"}, {"default"})


def test_elsewhere_nothing_is_wrapped_or_imported_for_a_terminal(root: Path) -> None:
    def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
        command = [sys.executable, "-X", "importtime", *PLAN[1:], str(root), *options]
        environment = {**inherited, "COLUMNS": "40", **environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)

    plain = run()
    assert "\x1b" not in plain.stdout
    assert f'-DOCKER_OPTS="{OPTIONS}"' in plain.stdout
    assert "harbor_agent.views.text.plan" in plain.stderr
    assert "rich" not in [line.rpartition("|")[2].strip().partition(".")[0] for line in plain.stderr.splitlines()]
    colored = run(FORCE_COLOR="1").stdout
    assert f'\x1b[31m-DOCKER_OPTS="{OPTIONS}"\x1b[0m' in colored
    assert run("--color", "never", FORCE_COLOR="1").stdout == plain.stdout
