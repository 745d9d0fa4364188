"""harbor-agent explain, and how it is reached from a problem."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Runner

RUNBOOKS = Path(__file__).resolve().parents[3] / "docs/runbooks"
IN_ENGLISH = "The node's host key is not in known_hosts"
IN_CHINESE = "known_hosts 中没有该节点的主机密钥"


def test_a_code_is_explained_with_its_way_out(run: Runner) -> None:
    ran = run("explain", "host-key-unknown", LC_ALL="C.UTF-8")
    assert (ran.rc, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == "host-key-unknown"
    assert IN_ENGLISH in ran.out
    assert "ssh-keyscan -t ed25519 192.168.0.2 >answers" in ran.out
    assert ran.out.splitlines()[-1] == "host-key-changed, host-key-revoked"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": "zh_CN.UTF-8"}, IN_CHINESE),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_TW.UTF-8", "LANG": "en_US.UTF-8"}, IN_CHINESE),
        ({"LC_ALL": "C.UTF-8", "LC_MESSAGES": "", "LANG": "zh_CN.UTF-8"}, IN_ENGLISH),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": "de_DE.UTF-8"}, IN_ENGLISH),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": ""}, IN_ENGLISH),
    ],
)
def test_the_locale_decides_about_the_language(run: Runner, environment: dict[str, str], expected: str) -> None:
    ran = run("explain", "host-key-unknown", **environment | {"PYTHONIOENCODING": "utf-8"})
    assert expected in ran.out


def test_without_a_code_each_has_a_line_with_its_meaning(run: Runner) -> None:
    lines = run("explain", LC_ALL="C.UTF-8").out.splitlines()
    codes = sorted(path.stem for path in RUNBOOKS.glob("*.md") if not path.stem.startswith("README"))
    assert [line.split()[0] for line in lines] == codes
    assert any(line.startswith("host-key-unknown ") and IN_ENGLISH in line for line in lines)


def test_a_code_that_does_not_exist_is_a_wrong_command_line(run: Runner) -> None:
    ran = run("explain", "host-key-unknwon")
    assert (ran.rc, ran.out) == (2, "")
    assert "did you mean 'host-key-unknown'?" in ran.err


def test_a_path_is_no_code(run: Runner) -> None:
    assert run("explain", "../../README").rc == 2


def test_codes_are_completed() -> None:
    completing = {"_HARBOR_AGENT_COMPLETE": "complete_bash", "COMP_WORDS": "harbor-agent explain host-k"}
    program = Path(sys.executable).with_name("harbor-agent")
    environment = os.environ | completing | {"COMP_CWORD": "2"}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=60, check=True)
    codes = done.stdout.split()
    assert "host-key-unknown" in codes
    assert all(code.startswith("host-k") for code in codes)


def test_an_error_ends_with_the_command_that_explains_it(run: Runner) -> None:
    ran = run("plan", "-i", "absent.ini", "--registry", "192.168.0.99")
    assert ran.rc == 2
    assert ran.err.splitlines()[-1] == "more: harbor-agent explain inventory-missing"


def test_a_plan_ends_with_it_on_standard_error_and_names_a_code_once(run: Runner, tree: Path) -> None:
    (tree / "lib/systemd/system/docker.service").unlink()
    ran = run("plan", "--root", str(tree), "--registry", "192.168.0.99")
    assert ran.out.splitlines()[-1] == "Plan: 0 to change, 1 refused"
    assert ran.err.splitlines()[-1] == "more: harbor-agent explain unit-missing"
    assert run("apply", "--root", str(tree), "--registry", "192.168.0.99", "--yes").err.count("more: ") == 1


def test_what_is_fine_ends_without_it(run: Runner, tree: Path) -> None:
    assert "explain" not in run("plan", "--root", str(tree), "--registry", "192.168.0.99").err


def test_a_declined_question_needs_no_explanation(tree: Path) -> None:
    ours, theirs = os.openpty()
    try:
        os.write(ours, b"n\n")
        done = subprocess.run(
            [sys.executable, "-m", "harbor_agent.cli", "apply", "--root", str(tree), "--registry", "192.168.0.99"],
            stdin=theirs,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(RUNBOOKS.parents[1] / "agent")},
            timeout=60,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 7
    assert "[declined]" in done.stderr
    assert "explain" not in done.stderr
