"""ansible-runner is for --transport ansible alone: nothing else loads it, and its absence is reported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Runner

AGENT = Path(__file__).resolve().parents[3] / "agent"
# Every Python process imports sitecustomize at its start; to this one, the package is not installed.
WITHOUT = 'import sys\nsys.modules["ansible_runner"] = None\n'
PLAN = ("plan", "--registry", "192.168.0.99", "-i", "n1,", "-o", "json")


def test_without_it_the_transport_is_refused_with_the_way_to_get_it(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without/sitecustomize.py").write_text(WITHOUT, encoding="utf-8")
    path = f"{tmp_path / 'without'}:{AGENT}"

    ran = run(*PLAN, "--transport", "ansible", PYTHONPATH=path)

    assert (ran.rc, ran.document()["error"]["code"]) == (2, "ansible-runner-missing")
    assert "pip install '.[ansible]'" in ran.document()["error"]["hint"]


@pytest.mark.parametrize(
    "command", [PLAN, ("render", "--registry", "192.168.0.99"), ("history",), ("plan", "--help")], ids=lambda c: c[0]
)
def test_other_commands_never_load_it(run: Runner, command: tuple[str, ...]) -> None:
    ran = run(*command, PYTHONPROFILEIMPORTTIME="1")

    assert "harbor_agent.cli" in ran.err
    assert "ansible_runner" not in ran.err
