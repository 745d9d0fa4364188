"""The READMEs are short and show the same commands; the guide for every day shows what the program prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harbor_agent.cli.progress import Progress
from harbor_agent.engine.events import NodeFinished
from harbor_agent.engine.plan.nodes import PlannedNode
from harbor_agent.engine.reports.report import Report
from harbor_agent.errors import ExitCode
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import Action
from harbor_agent.model.policy import Policy
from harbor_agent.model.result import NodeResult, Outcome, Proof
from harbor_agent.planning.node import plan_node
from harbor_agent.views.text.plan import plan_text
from harbor_agent.views.text.run import run_summary
from tests.unit.planning.docker.nodes import (
    DEBIAN_UNIT,
    FRAGMENT,
    HARBOR,
    OPTIONS,
    PLAIN_UNIT,
    TEMPLATES,
    node,
    running,
    want,
    with_docker,
)

ROOT = Path(__file__).resolve().parents[3]
START = ("/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")
KUBESPRAY_UNIT = """[Service]
Type=notify
ExecStart=/usr/sbin/dockerd $DOCKER_OPTS
ExecReload=/bin/kill -s HUP $MAINPID
"""
KUBESPRAY_OPTIONS = """[Service]
Environment="DOCKER_OPTS= --iptables=false \\
--exec-opt native.cgroupdriver=systemd \\
--insecure-registry=10.233.0.0/18  \\
--data-root=/var/lib/docker \\
--log-opt max-size=50m --log-opt max-file=5"
"""
KUBESPRAY_ARGUMENTS = (
    *("/usr/sbin/dockerd", "--iptables=false", "--exec-opt", "native.cgroupdriver=systemd"),
    *("--insecure-registry=10.233.0.0/18", "--data-root=/var/lib/docker"),
    *("--log-opt", "max-size=50m", "--log-opt", "max-file=5"),
)

DAILY_WORK = "docs/guides/daily-work.md"
MOST_LINES = 110


def blocks(name: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_both_languages_have_the_same_command_blocks() -> None:
    assert blocks("README.md") == blocks("README.zh.md")
    assert "make test\n" in blocks("README.md")


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_a_readme_is_a_door(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert "harbor-agent plan -i inventory.ini" in text.partition("\n## ")[0]


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_every_local_link_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / name).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_lines_of_a_run_are_those_that_apply_prints(capsys: pytest.CaptureFixture[str]) -> None:
    run = next(block for block in blocks(DAILY_WORK) if block.startswith("change node1"))
    progress, results = Progress(), []
    for name, action, seconds in (("node1", "restart", 9.8), ("node3", "reload", 3.1), ("node2", "restart", 10.2)):
        results.append(
            NodeResult(
                node=name,
                outcome=Outcome.CHANGED,
                action=Action(action),
                verified=True,
                proof=Proof.PULL,
                seconds=seconds,
            )
        )
        progress(NodeFinished(result=results[-1]))
    printed = capsys.readouterr().err.splitlines()
    assert [line for line in run.splitlines() if line.startswith("  ")] == printed
    report = Report(
        run_id="20261124T090536Z-c9b8", results=tuple(results), secrets=None, halted=None, exit_code=ExitCode.DONE
    )
    assert run.splitlines()[-1] == run_summary(report)


def test_the_plan_is_the_one_that_the_program_makes() -> None:
    kubespray = running(
        node({FRAGMENT: KUBESPRAY_UNIT, OPTIONS: KUBESPRAY_OPTIONS}), KUBESPRAY_ARGUMENTS, ("10.233.0.0/18",)
    )
    states = {
        "node1": running(node({FRAGMENT: DEBIAN_UNIT}), START),
        "node2": with_docker(kubespray, containers=()),
        "node3": running(node({FRAGMENT: PLAIN_UNIT}), START),
    }
    nodes = [
        PlannedNode(
            node=Node(name=name, address=name),
            policy=Policy(registries=()),
            outcome=Outcome.PENDING,
            decision=decision,
            reason=decision.reason,
            state=state,
        )
        for name, state in states.items()
        for decision in [plan_node(name, state, want(HARBOR), TEMPLATES)]
    ]
    shown = next(block for block in blocks(DAILY_WORK) if block.startswith("$ harbor-agent plan"))
    assert shown.partition("\n")[2].rstrip("\n") == re.sub(r"\x1b\[\d*m", "", plan_text(nodes, None))
