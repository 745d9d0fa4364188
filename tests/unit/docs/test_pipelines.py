"""The pipelines of docs/guides/ci are valid, and their steps do what the guide says: run here, on a sample tree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.needs import GROOVY

ROOT = Path(__file__).resolve().parents[3]
CI = ROOT / "docs/guides/ci"
UNIT = "[Service]\nExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n"
# Programs of the pipelines that are not ours: each notes its arguments and its input, and ends well.
STUB = """\
#!/bin/sh
{ echo "$0 $*"; [ -t 0 ] || cat; for file; do case $file in *.md) cat "$file" ;; esac; done; } >>calls
"""


def read_gitlab() -> dict[str, str]:
    document = yaml.safe_load((CI / "gitlab-ci.yml").read_text(encoding="utf-8"))
    before = document["default"]["before_script"]
    jobs = {name: job for name, job in document.items() if isinstance(job, dict) and "script" in job}
    return {name: "\n".join([*job.get("before_script", before), *job["script"]]) for name, job in jobs.items()}


def read_github() -> dict[str, str]:
    document = yaml.safe_load((CI / "github-actions.yml").read_text(encoding="utf-8"))
    steps = [step for job in document["jobs"].values() for step in job["steps"] if "run" in step]
    return {step["name"]: step["run"] for step in steps}


def read_jenkins() -> dict[str, str]:
    text = (CI / "Jenkinsfile").read_text(encoding="utf-8")
    stages = re.split(r"stage\('(\w+)'\)", text)[1:]
    found = dict(zip(stages[::2], stages[1::2], strict=True))
    return {
        name: "\n".join(a or b for a, b in re.findall(r"sh (?:'''(.*?)'''|'(.*?)')", body, re.DOTALL))
        for name, body in found.items()
    }


SYSTEMS = {"gitlab": read_gitlab(), "github": read_github(), "jenkins": read_jenkins()}


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A repository as a job sees it, with a sample tree instead of its nodes."""

    folder: Path
    scripts: dict[str, str]

    def run(self, job: str, *, nodes: str = "--root tree") -> subprocess.CompletedProcess[str]:
        """Run the steps of a job as the CI systems do: a shell that ends at the first failure."""
        path = f"{self.folder / 'stubs'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {
            "PATH": path,
            "HOME": str(self.folder),
            "NODES": nodes,
            "LC_ALL": "C.UTF-8",
            "SSH_KEY_FILE": "key",
            "GITHUB_STEP_SUMMARY": "summary.md",
            "PULL_REQUEST": "7",
            "COMMENT_TOKEN": "a-token",
            "CI_API_V4_URL": "https://gitlab/api/v4",
            "CI_PROJECT_ID": "5",
            "CI_MERGE_REQUEST_IID": "7",
            "XDG_STATE_HOME": str(self.folder / "state"),
        }
        command = ["bash", "-e", "-c", self.scripts[job]]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def calls(self) -> str:
        file = self.folder / "calls"
        return file.read_text(encoding="utf-8") if file.exists() else ""


# The steps of all systems are the same (below), so what one of them shows is true of all.
ONE = pytest.mark.parametrize("checkout", ["gitlab"], indirect=True)


@pytest.fixture(params=SYSTEMS)
def checkout(request: pytest.FixtureRequest, tmp_path: Path) -> Checkout:
    unit = tmp_path / "tree/lib/systemd/system/docker.service"
    unit.parent.mkdir(parents=True)
    unit.write_text(UNIT, encoding="utf-8")
    (tmp_path / "harbor-agent.yaml").write_text("registries: [192.168.0.99]\n", encoding="utf-8")
    (tmp_path / "known_hosts").touch()
    (tmp_path / "drift.ini").write_text('n1 harbor_skip="no node in this test"\n', encoding="utf-8")
    (tmp_path / "stubs").mkdir()
    for name in ("curl", "gh", "ssh-agent", "ssh-add"):
        stub = tmp_path / "stubs" / name
        stub.write_text(STUB, encoding="utf-8")
        stub.chmod(0o755)
    return Checkout(folder=tmp_path, scripts=SYSTEMS[request.param])


def test_a_change_is_planned_approved_and_applied(checkout: Checkout) -> None:
    assert checkout.run("check").returncode == 0
    planned = checkout.run("plan")
    assert planned.returncode == 0, planned.stderr
    plan = (checkout.folder / "plan.md").read_text(encoding="utf-8")
    assert '+Environment="DOCKER_OPTS=--insecure-registry=192.168.0.99"' in plan
    drop_in = checkout.folder / "tree/etc/systemd/system/docker.service.d/docker-options.conf"
    assert not drop_in.exists(), "a plan changes nothing"

    applied = checkout.run("apply")
    assert applied.returncode == 0, applied.stderr
    assert "--insecure-registry=192.168.0.99" in applied.stdout, "the plan is shown before it is applied"
    assert "192.168.0.99" in drop_in.read_text(encoding="utf-8")
    (suite,) = ET.parse(checkout.folder / "apply.xml").getroot().iter("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")

    again = checkout.run("plan")
    assert again.returncode == 0
    assert "insecure-registry" not in (checkout.folder / "plan.md").read_text(encoding="utf-8").replace(plan, "")


@ONE
def test_a_plan_that_was_not_made_of_this_state_is_not_applied(checkout: Checkout) -> None:
    assert checkout.run("plan").returncode == 0
    unit = checkout.folder / "tree/lib/systemd/system/docker.service"
    unit.write_text(UNIT.replace("fd://", "unix://"), encoding="utf-8")
    folder = checkout.folder / "tree/etc/systemd/system/docker.service.d"
    folder.mkdir(parents=True)
    (folder / "a.conf").write_text('[Service]\nEnvironment="DOCKER_OPTS=--debug"\n', encoding="utf-8")
    applied = checkout.run("apply")
    assert applied.returncode == 5
    assert "plan-stale" in (checkout.folder / "apply.xml").read_text(encoding="utf-8")


@ONE
def test_a_refused_node_fails_the_job_and_is_in_the_comment(checkout: Checkout) -> None:
    (checkout.folder / "tree/lib/systemd/system/docker.service").unlink()
    planned = checkout.run("plan")
    assert planned.returncode not in (0, 3)
    assert (checkout.folder / "plan.md").stat().st_size > 0


@ONE
def test_wrong_settings_fail_the_first_job(checkout: Checkout) -> None:
    (checkout.folder / "harbor-agent.yaml").write_text("registry: h\n", encoding="utf-8")
    checked = checkout.run("check")
    assert checked.returncode == 2
    assert "harbor-agent.yaml:1: unknown key 'registry'" in checked.stdout


def test_drift_is_checked_on_a_schedule(checkout: Checkout) -> None:
    done = checkout.run("drift", nodes="-i drift.ini")
    assert done.returncode == 0, done.stderr
    report = next(checkout.folder.glob("drift.xml"), None) or checkout.folder / "summary.md"
    assert "n1" in report.read_text(encoding="utf-8")
    assert checkout.run("drift", nodes="-i missing.ini").returncode == 2


@pytest.mark.parametrize("name", ["gitlab", "github"])
def test_the_comment_is_the_plan_and_shows_no_token(name: str, tmp_path: Path) -> None:
    checkout = Checkout(folder=tmp_path, scripts=SYSTEMS[name])
    (tmp_path / "plan.md").write_text("the plan\n", encoding="utf-8")
    (tmp_path / "stubs").mkdir()
    for program in ("curl", "gh"):
        (tmp_path / "stubs" / program).write_text(STUB, encoding="utf-8")
        (tmp_path / "stubs" / program).chmod(0o755)
    done = checkout.run("comment")
    assert done.returncode == 0, done.stderr
    called, _, given = checkout.calls().partition("\n")
    assert "plan.md" in called
    assert "a-token" not in called
    if name == "gitlab":
        assert called.endswith("https://gitlab/api/v4/projects/5/merge_requests/7/notes")
        assert given == 'header = "PRIVATE-TOKEN: a-token"\n'
    else:
        assert "pr comment 7 " in called
        assert given == "the plan\n"


@pytest.mark.needs("check-jsonschema")
@pytest.mark.parametrize(
    ("file", "schema"), [("gitlab-ci.yml", "vendor.gitlab-ci"), ("github-actions.yml", "vendor.github-workflows")]
)
def test_a_pipeline_is_valid_by_the_schema_of_its_system(file: str, schema: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, CI / file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


# Prints a line per place where the text on standard input is not Groovy.
LIST_ERRORS = """\
import sys
import dekobon_tree_sitter_groovy
import tree_sitter

def walk(node):
    if node.is_error or node.is_missing:
        print(f"line {node.start_point.row + 1}: {node.type}")
    for child in node.children:
        walk(child)

language = tree_sitter.Language(dekobon_tree_sitter_groovy.language())
walk(tree_sitter.Parser(language).parse(sys.stdin.buffer.read()).root_node)
"""


def parse_groovy(text: str) -> list[str]:
    """Return the places at which a text is not Groovy."""
    command = [sys.executable, "-c", LIST_ERRORS]
    environment = {**os.environ, "PYTHONPATH": str(GROOVY)}
    done = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


@pytest.mark.needs("groovy")
def test_the_jenkinsfile_is_groovy() -> None:
    text = (CI / "Jenkinsfile").read_text(encoding="utf-8")
    assert parse_groovy(text) == []
    assert parse_groovy(text.replace("stage('plan') {", "stage('plan' {")) == ["line 16: )"]
    assert parse_groovy(text.replace("sh '''", "sh ''", 1)) != []


def test_every_system_has_the_same_steps() -> None:
    lines: dict[str, list[str]] = {
        name: sorted(
            line.strip().partition(" >")[0].replace(" -o junit", "").replace(" -o markdown", "")
            for script in scripts.values()
            for line in script.splitlines()
            if line.strip().startswith("harbor-agent ")
        )
        for name, scripts in SYSTEMS.items()
    }
    assert lines["gitlab"] == lines["github"] == lines["jenkins"]
    assert len(lines["gitlab"]) == len(set(lines["gitlab"])) == 5


def jobs_of(document: dict[str, Any]) -> dict[str, Any]:
    return {name: job for name, job in document.items() if isinstance(job, dict) and "script" in job}


def test_nothing_that_reaches_nodes_runs_unasked() -> None:
    """apply waits for a person, and forks get no plan."""
    gitlab = jobs_of(yaml.safe_load((CI / "gitlab-ci.yml").read_text(encoding="utf-8")))
    assert gitlab["apply"]["rules"][0]["when"] == "manual"
    github = yaml.safe_load((CI / "github-actions.yml").read_text(encoding="utf-8"))["jobs"]
    assert github["apply"]["environment"] == "production"
    assert "head.repo.full_name == github.repository" in github["plan"]["if"]
    stage = (CI / "Jenkinsfile").read_text(encoding="utf-8").partition("stage('apply')")[2]
    assert stage.index("input {") < stage.index("harbor-agent apply")
