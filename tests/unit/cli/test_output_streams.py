"""A closed or full output stream never decides what a run does or how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harbor_agent.cli.console import print_status

if TYPE_CHECKING:
    from pathlib import Path

DROP_IN = "etc/systemd/system/docker.service.d/docker-options.conf"
PROGRAM = (sys.executable, "-m", "harbor_agent.cli")


def nobody() -> int:
    """Return the end of a pipe that nobody reads."""
    theirs, ours = os.pipe()
    os.close(theirs)
    return ours


def run(*arguments: str, redirected: str = "", **streams: object) -> int:
    command = ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", *PROGRAM, *arguments]
    return subprocess.run(command, check=False, timeout=60, **streams).returncode  # type: ignore[call-overload]


def test_a_change_is_made_even_if_no_reader_is_left(tree: Path) -> None:
    ours = nobody()
    code = run("apply", "--root", str(tree), "--registry", "h.lan", "--yes", stdout=ours, stderr=ours)
    os.close(ours)
    assert code == 0
    assert (tree / DROP_IN).exists()


def test_the_exit_code_is_the_true_one(tree: Path) -> None:
    for form in ("text", "json"):
        ours = nobody()
        code = run(
            *("plan", "--root", str(tree), "--registry", "h.lan", "--exit-code", "-o", form),
            stdout=ours,
            stderr=subprocess.DEVNULL,
        )
        os.close(ours)
        assert code == 3


def test_progress_that_finds_no_room_stops_nothing(tree: Path) -> None:
    code = run(
        *("apply", "--root", str(tree), "--registry", "h.lan", "--yes"),
        redirected="2>/dev/full",
        stdout=subprocess.DEVNULL,
    )
    assert code == 0
    assert (tree / DROP_IN).exists()


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_result_that_finds_no_room_is_an_error_and_what_was_done_stays(tree: Path, tmp_path: Path, form: str) -> None:
    told = tmp_path / "told"
    with told.open("w") as stderr:
        code = run(
            *("apply", "--root", str(tree), "--registry", "h.lan", "--yes", "-o", form),
            redirected=">/dev/full",
            stderr=stderr,
        )
    assert code == 1
    assert "No space left on device" in told.read_text()
    assert "[output-failed]" in told.read_text()
    assert "bug" not in told.read_text()
    assert (tree / DROP_IN).exists()


def test_without_standard_streams_nothing_is_a_bug(tree: Path) -> None:
    arguments = ("apply", "--root", str(tree), "--registry", "h.lan")
    assert run(*arguments, redirected="<&- 2>/dev/null", stdout=subprocess.DEVNULL) == 7
    assert run(*arguments, "--yes", redirected="<&- >&- 2>&-") == 0
    assert (tree / DROP_IN).exists()


def test_what_a_node_says_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_status("it says \x1b]0;owned\x07\x1b[2J\r and \x9b1m, in \x1b[1mbold\x1b[0m")
    told = capsys.readouterr().err
    assert told == "it says \\x1b]0;owned\\x07\\x1b[2J\\x0d and \\x9b1m, in bold\n"
