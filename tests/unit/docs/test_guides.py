"""Every guide is there in both languages with the same commands, and what the first one shows is read."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harbor_agent.engine.request.config_file import load_configuration
from harbor_agent.inventory.load import load_inventory

DOCS = Path(__file__).resolve().parents[3] / "docs"
GUIDES = sorted(path.name for path in (DOCS / "guides").glob("*.md") if ".zh" not in path.name)
LEAST_GUIDES = 3


def read(name: str) -> str:
    return (DOCS / "guides" / name).read_text(encoding="utf-8")


def blocks(text: str, language: str = r"\w*") -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def test_the_guides_are_found() -> None:
    assert len(GUIDES) >= LEAST_GUIDES


@pytest.mark.parametrize("name", GUIDES)
def test_both_languages_have_the_same_commands_and_headings(name: str) -> None:
    english, chinese = read(name), read(name.replace(".md", ".zh.md"))
    assert blocks(english) == blocks(chinese)
    shapes = [re.findall(r"^(#+) (?:(\d+)\.)?", text, re.MULTILINE) for text in (english, chinese)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("name", GUIDES)
def test_the_index_leads_to_both_languages(name: str) -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert f"(guides/{name})" in index
    assert f"(guides/{name.replace('.md', '.zh.md')})" in index


def test_every_document_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    documents = [path for path in DOCS.rglob("*.md") if not {"runbooks", "decisions"} & set(path.parts)]
    names = [str(path.relative_to(DOCS)) for path in documents if path != DOCS / "README.md"]
    assert [name for name in names if f"({name})" not in index] == []


def test_the_inventory_of_the_first_cluster_is_read(tmp_path: Path) -> None:
    (text,) = blocks(read("first-cluster.md"), "ini")
    (tmp_path / "inventory.ini").write_text(text, encoding="utf-8")
    nodes = load_inventory([str(tmp_path / "inventory.ini")])
    assert [(node.name, node.address, node.user) for node in nodes] == [
        ("node1", "192.168.0.2", "ops"),
        ("node2", "192.168.0.3", "ops"),
        ("node3", "192.168.0.4", "ops"),
    ]
    assert all(node.become for node in nodes)


def test_the_settings_of_the_first_cluster_are_read(tmp_path: Path) -> None:
    (text,) = blocks(read("first-cluster.md"), "yaml")
    (tmp_path / "harbor-agent.yaml").write_text(text, encoding="utf-8")
    assert load_configuration(str(tmp_path / "harbor-agent.yaml")).registries


def test_the_workflow_for_awx_fits_the_playbook() -> None:
    (workflow,) = yaml.safe_load((DOCS / "guides/awx-workflow.yml").read_text(encoding="utf-8"))
    site = DOCS.parent / "playbooks/site.yml"
    program = Path(sys.executable).with_name("ansible-playbook")
    argv = [str(program), "-i", "node1,", str(site), "--list-tags"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    jobs = workflow["vars"]["jobs"]
    named = {tag for job in jobs for tag in f"{job.get('tags', '')},{job.get('skip_tags', '')}".split(",") if tag}
    assert named == {"login", "secret"} <= set(re.findall(r"[a-z]+", listed.partition("TASK TAGS")[2]))
    (template,) = (task for task in workflow["tasks"] if "awx.awx.job_template" in task)
    variables = template["awx.awx.job_template"]["extra_vars"]
    assert "harbor_agent_serial" in variables.keys() & set(re.findall(r"\w+", site.read_text(encoding="utf-8")))
    # each job starts the one after it, and only the slices are sliced
    following = [job.get("next", [None])[0] for job in jobs]
    assert following == [*(job.get("identifier", "canary") for job in jobs[1:]), None]
    assert [job["name"] for job in jobs if "slices" in job] == ["harbor slices"]
