"""Two machines share a rollout and its rollback: the canary first, both shards under one lock, then one report."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.site import PULLER, Ended

if TYPE_CHECKING:
    from tests.e2e.site import Site
    from tests.lab.apiserver import RunningApiServer

pytestmark = pytest.mark.needs("nodes")

_NAMESPACE = "shards"
_CLAIMS = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/harbor-agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened, in this order."""

    without_canary: Ended
    canary: Ended
    after_failure: Ended
    shards: list[Ended]
    merged: Ended
    half: Ended
    back_without_canary: Ended
    back: list[Ended]
    back_merged: Ended


@pytest.fixture(scope="module")
def story(fresh_site: Site, apiserver: RunningApiServer | None) -> Story:
    site = fresh_site
    if apiserver:
        apiserver.create_namespace(_NAMESPACE, "default")
    inventory = site.lab.write_inventory(nodes=site.nodes)
    run = ("apply", "-i", str(inventory), "-c", str(site.settings(apiserver, _NAMESPACE)), "--yes", "-o", "json")
    without_canary = _run(site, 1, *run, "--shard", "1/2")
    canary = _save(site, "canary", _run(site, 0, *run, "--limit", "node1"))
    failed = json.loads(canary.read_text()) | {"exit_code": 1}
    (site.lab.home / "failed.json").write_text(json.dumps(failed))
    after_failure = _run(site, 1, *run, "--shard", "1/2", "--after", "failed.json")
    with ThreadPoolExecutor(2) as machines:
        shards = list(machines.map(lambda n: _run(site, n, *run, "--shard", f"{n}/2", "--after", str(canary)), (1, 2)))
    runs = [canary, *(_save(site, f"shard{number}", ended) for number, ended in enumerate(shards, 1))]
    rollback = ("rollback", "-i", str(inventory), "--yes", "-o", "json")
    names = [json.loads(report.read_text())["run_id"] for report in runs]
    back_without_canary = _run(site, 2, *rollback, names[2], "--shard", "2/2")
    canary_back = str(_save(site, "canary-back", _run(site, 0, *rollback, names[0], "--limit", "node1")))
    with ThreadPoolExecutor(2) as machines:
        back = list(
            machines.map(
                lambda n: _run(site, n, *rollback, names[n], "--shard", f"{n}/2", "--after", canary_back), (1, 2)
            )
        )
    saved_back = [str(_save(site, f"back{number}", ended)) for number, ended in enumerate(back, 1)]
    saved = [str(report) for report in runs[1:]]
    return Story(
        without_canary=without_canary,
        canary=Ended(code=0, stdout=canary.read_text(), stderr=""),
        after_failure=after_failure,
        shards=shards,
        merged=_run(site, 0, "merge", *saved, "-o", "json"),
        half=_run(site, 0, "merge", saved[0], "-o", "json"),
        back_without_canary=back_without_canary,
        back=back,
        back_merged=_run(site, 0, "merge", *saved_back, "-o", "json"),
    )


def _run(site: Site, machine: int, *arguments: str) -> Ended:
    """Run harbor-agent as on a machine with a state of its own."""
    program = str(Path(sys.executable).with_name("harbor-agent"))
    own = {"HARBOR_PASSWORD": PULLER.password, "XDG_STATE_HOME": str(site.lab.home / f"machine{machine}")}
    done = site.lab.run([program, *arguments], cwd=site.lab.home, env=own, timeout=240)
    return Ended(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def _save(site: Site, name: str, ended: Ended) -> Path:
    path = site.lab.home / f"{name}.json"
    path.write_text(ended.stdout)
    return path


def test_no_shard_starts_without_a_canary_that_went_well(story: Story) -> None:
    assert (story.without_canary.code, _error(story.without_canary)) == (2, "canary-missing")
    assert (story.after_failure.code, _error(story.after_failure)) == (2, "canary-refused")
    assert "ended with exit code 1" in story.after_failure.document["error"]["message"]


def test_the_shards_change_their_nodes_and_find_the_canary_done(story: Story) -> None:
    assert [ended.code for ended in story.shards] == [0, 0], [ended.stderr for ended in story.shards]
    outcomes = [{node["node"]: node["outcome"] for node in ended.document["nodes"]} for ended in story.shards]
    assert outcomes == [{"node1": "unchanged", "node2": "changed"}, {"node3": "changed"}]
    assert all(node["verified"] for ended in story.shards for node in ended.document["nodes"])
    assert {ended.document["after"] for ended in story.shards} == {story.canary.document["run_id"]}


def test_only_the_first_shard_writes_the_secret(story: Story, apiserver: RunningApiServer | None) -> None:
    first, second = (ended.document["secret"] for ended in story.shards)
    assert second is None
    if apiserver:
        assert story.canary.document["secret"]["status"] == "changed"
        assert first["status"] == "unchanged"


def test_both_held_the_lock_of_the_cluster_and_gave_it_back(story: Story, apiserver: RunningApiServer | None) -> None:
    assert all(not ended.document["warnings"] for ended in story.shards)
    if apiserver:
        lease: dict[str, Any] = apiserver.ask("GET", _CLAIMS)
        assert lease["metadata"]["annotations"]["harbor-agent/claims"] == "[]"


def test_one_report_has_every_node_once(story: Story) -> None:
    merged = story.merged.document
    assert story.merged.code == 0, story.merged.stderr
    assert sorted(node["node"] for node in merged["nodes"]) == ["node1", "node2", "node3"]
    assert [shard["run_id"] for shard in merged["shards"]] == [ended.document["run_id"] for ended in story.shards]
    assert (story.half.code, _error(story.half)) == (2, "shards-incomplete")


def test_a_rollback_over_shards_has_a_canary_and_one_report_too(story: Story) -> None:
    assert (story.back_without_canary.code, _error(story.back_without_canary)) == (2, "canary-missing")
    outcomes = [{node["node"]: node["outcome"] for node in ended.document["nodes"]} for ended in story.back]
    assert outcomes == [{"node1": "skipped", "node2": "changed"}, {"node3": "changed"}]
    merged = story.back_merged.document
    assert (merged["kind"], [node["node"] for node in merged["nodes"]]) == ("rollback", ["node1", "node2", "node3"])
    assert [shard["exit_code"] for shard in merged["shards"]] == [ended.code for ended in story.back] == [0, 0]


def _error(ended: Ended) -> str:
    return ended.document["error"]["code"]
