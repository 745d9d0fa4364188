"""The two READMEs show the same commands, and the output that the program prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harbor_agent.cli.progress import Progress
from harbor_agent.engine.events import NodeFinished
from harbor_agent.engine.rollout.run import Report
from harbor_agent.errors import ExitCode
from harbor_agent.model.plan import Action
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.views.text.run import run_summary

ROOT = Path(__file__).resolve().parents[3]


def blocks(name: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_both_languages_have_the_same_command_blocks() -> None:
    assert blocks("README.md") == blocks("README.zh.md")
    assert "make test\n" in blocks("README.md")


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_every_local_link_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / name).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_lines_of_a_run_are_those_that_apply_prints(capsys: pytest.CaptureFixture[str]) -> None:
    run = next(block for block in blocks("README.md") if block.startswith("change node1"))
    progress, results = Progress(), []
    for node, action, seconds in (("node1", "restart", 9.8), ("node3", "reload", 3.1), ("node2", "restart", 10.2)):
        results.append(
            NodeResult(node=node, outcome=Outcome.CHANGED, action=Action(action), verified=True, seconds=seconds)
        )
        progress(NodeFinished(result=results[-1]))
    printed = capsys.readouterr().err.splitlines()
    assert [line for line in run.splitlines() if line.startswith("  ")] == printed
    report = Report(
        run_id="20261124T090536Z-c9b8", results=tuple(results), secrets=None, halted=None, exit_code=ExitCode.DONE
    )
    assert run.splitlines()[-1] == run_summary(report)
