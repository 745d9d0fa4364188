"""Two clusters in one repository: the commands of docs/guides/many-clusters.md, run in its order on booted nodes."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.e2e.fleet import CLUSTERS, Fleet, blocks
from tests.e2e.site import PULLER, running_site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.fleet import Sample
    from tests.e2e.site import Ended

pytestmark = pytest.mark.needs("nodes")

_DOCS = Path(__file__).resolve().parents[2] / "docs"
_INSTALL = 'sudo "$(command -v harbor-agent)" schedule install'


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened, in this order, each by cluster."""

    fleet: Fleet
    first_outcomes: dict[str, list[str]]
    changed: str
    plans: dict[str, tuple[int, dict[str, Any]]]
    behind: dict[str, int]
    behind_samples: list[Sample]
    counted: str
    applied: Ended
    locked_out: Ended
    after: dict[str, int]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running_site(shapes=("docker-ce", "docker-ce")) as site:
        fleet = Fleet(site)
        fleet.write_files()
        yield fleet


@pytest.fixture(scope="module")
def story(fleet: Fleet) -> Story:
    with ThreadPoolExecutor(2) as both:
        first = dict(zip(CLUSTERS, both.map(lambda one: fleet.job(blocks(8)[0], one), CLUSTERS), strict=True))
    assert [ended.code for ended in first.values()] == [0, 0], [ended.stderr for ended in first.values()]
    first_outcomes = {one: [node["outcome"] for node in fleet.report(one)["nodes"]] for one in CLUSTERS}

    fleet.git("checkout", "-q", "-b", "second-registry")
    settings = fleet.repository / "clusters/east/harbor-agent.yaml"
    settings.write_text(f"{settings.read_text()}  - address: {_second(fleet)}\n")
    fleet.commit()
    changed = fleet.type(blocks(3)[0]).stdout
    plans = {one: fleet.plan(one) for one in CLUSTERS}
    fleet.git("checkout", "-q", "main")
    fleet.git("merge", "-q", "--no-ff", "-m", "merge", "second-registry")
    fleet.git("push", "-q", "origin", "main")

    behind = {one: fleet.check(one) for one in CLUSTERS}
    behind_samples, counted = fleet.samples(), fleet.type(blocks(7)[0]).stdout
    apply = blocks(4)[0]
    with fleet.locked("west"):
        applied = fleet.job(apply, "east")
        locked_out = fleet.job(apply.replace("--lock-timeout 600", "--lock-timeout 0"), "west")
    after = {one: fleet.check(one) for one in CLUSTERS}
    return Story(
        fleet=fleet,
        first_outcomes=first_outcomes,
        changed=changed,
        plans=plans,
        behind=behind,
        behind_samples=behind_samples,
        counted=counted,
        applied=applied,
        locked_out=locked_out,
        after=after,
    )


def _select(labels: dict[str, str]) -> str:
    return "{" + ", ".join(f'{label}="{value}"' for label, value in labels.items()) + "}"


def _second(fleet: Fleet) -> str:
    return f"{fleet.site.lab.address}:5001"


def test_every_command_of_the_guide_is_known_here() -> None:
    assert [len(blocks(section)) for section in range(1, 9)] == [1, 1, 2, 1, 1, 3, 1, 1]


def test_two_clusters_are_changed_at_the_same_time(story: Story) -> None:
    assert story.first_outcomes == {"east": ["changed"], "west": ["changed"]}
    assert all(story.fleet.site.registry.entry in story.fleet.registries(one) for one in CLUSTERS)


def test_a_change_in_one_folder_is_planned_for_that_cluster_only(story: Story) -> None:
    assert story.changed.split() == ["east"]
    (east, planned), (west, unchanged) = story.plans["east"], story.plans["west"]
    assert (east, [(node["node"], node["status"]) for node in planned["nodes"]]) == (3, [("east1", "change")])
    assert (west, [(node["node"], node["status"]) for node in unchanged["nodes"]]) == (0, [("west1", "unchanged")])
    assert _second(story.fleet) in planned["nodes"][0]["files"][0]["diff"]


def test_a_cluster_that_lags_is_the_only_one_in_the_metrics(story: Story) -> None:
    assert story.behind == {"east": 3, "west": 0}
    nodes = [labels for name, labels, _ in story.behind_samples if name == "harbor_agent_drift_node_status"]
    assert [(one["fleet"], one["node"], one["status"]) for one in nodes] == [
        ("east", "east1", "pending"),
        ("west", "west1", "in_sync"),
    ]
    assert story.counted.split() == ["2", "2"]


@pytest.mark.needs("promtool")
def test_the_rules_and_expressions_are_about_that_cluster(story: Story, tmp_path: Path) -> None:
    differing, versions = blocks(7, "promql")[0].splitlines()
    (version,) = {labels["version"] for name, labels, _ in story.behind_samples if name.endswith("build_info")}
    firing = 'count by (alertname, fleet) (ALERTS{alertstate="firing"})'
    expected = {
        differing: ['{fleet="east", status="pending"}'],
        versions: [f'{{fleet="{one}", version="{version}"}}' for one in CLUSTERS],
        firing: ['{alertname="HarborAgentDrift", fleet="east"}'],
    }
    test = {
        "interval": "10m",
        "input_series": [
            {"series": name + _select(labels), "values": f"{value}x30"} for name, labels, value in story.behind_samples
        ],
        "promql_expr_test": [
            {"expr": one, "eval_time": "4h", "exp_samples": [{"labels": labels, "value": 1} for labels in samples]}
            for one, samples in expected.items()
        ],
    }
    rules = str(_DOCS / "guides/prometheus/rules.yml")
    (tmp_path / "test.yml").write_text(
        yaml.safe_dump({"rule_files": [rules], "evaluation_interval": "10m", "tests": [test]})
    )
    done = subprocess.run(
        ["promtool", "test", "rules", str(tmp_path / "test.yml")], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_approved_plan_changes_that_cluster_while_the_other_one_is_locked(story: Story) -> None:
    assert story.applied.code == 0, story.applied.stderr
    report = story.fleet.report("east")
    assert [(node["node"], node["outcome"], node["verified"]) for node in report["nodes"]] == [
        ("east1", "changed", True)
    ]
    assert (story.locked_out.code, story.fleet.report("west")["error"]["code"]) == (75, "run-locked")
    assert [_second(story.fleet) in story.fleet.registries(one) for one in CLUSTERS] == [True, False]
    assert story.after == {"east": 0, "west": 0}
    shown = story.fleet.type(blocks(5)[0])
    assert shown.code == 0, shown.stderr


def test_each_cluster_has_a_timer_and_a_cronjob_of_its_own(story: Story) -> None:
    fleet, install = story.fleet, blocks(6)[0].splitlines()[1]
    objects: dict[str, set[str]] = {}
    assert install.startswith(_INSTALL)
    for one in CLUSTERS:
        # `schedule show` prints what would be installed; the machine of a test gets no timer.
        shown = fleet.type(install.replace(_INSTALL, "harbor-agent schedule show"), one, folder=fleet.copy)
        assert shown.code == 0, shown.stderr
        folder, metrics = fleet.copy / "clusters" / one, fleet.metrics / f"{one}.prom"
        assert f"/etc/systemd/system/harbor-agent-drift-{one}.timer" in shown.stdout
        assert f"drift -i {folder}/inventory.ini -c {folder}/harbor-agent.yaml --metrics {metrics}\n" in shown.stdout
        printed = fleet.type(blocks(6)[2], one)
        assert printed.code == 0, printed.stderr
        manifests = yaml.safe_load_all((fleet.repository / f"{one}.drift.yaml").read_text())
        objects[one] = {f"{found['kind']} {found['metadata']['name']}" for found in manifests}
        assert f"CronJob harbor-agent-drift-{one}" in objects[one]
    # So both are in one management cluster.
    assert objects["east"] & objects["west"] == {"Namespace harbor-agent"}


def test_no_file_of_the_repository_or_of_the_jobs_has_the_password(story: Story) -> None:
    files = [path for path in story.fleet.repository.rglob("*") if path.is_file()]
    assert {"east.plan", "east.json", "east.run.json"} <= {path.name for path in files}
    assert [path for path in files if PULLER.password.encode() in path.read_bytes()] == []
