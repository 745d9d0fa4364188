"""A run is recorded while it runs, and a run that halted is resumed where it stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from harbor_agent.engine.history.lock import find_lock_file

if TYPE_CHECKING:
    from tests.e2e.site import Ended, Site
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes")

# No registry answers at the names that are used here.
ALLOWED = "--allow-unreachable-registry"

_SCHEMA = Path(__file__).resolve().parents[2] / "docs/schemas/runs-2.json"
# Docker starts with everything but the registry, which no check beforehand can tell.
_BREAK = """\
mv /usr/sbin/dockerd /usr/sbin/dockerd.real
cat >/usr/sbin/dockerd <<'END'
#!/bin/sh
[ "$(id -u)" != 0 ] || case "$*" in *halt.lan*) exit 1 ;; esac
exec /usr/sbin/dockerd.real "$@"
END
chmod 755 /usr/sbin/dockerd
systemctl restart docker
"""
_MEND = "mv -f /usr/sbin/dockerd.real /usr/sbin/dockerd && systemctl restart docker"


def _history(site: Site, *arguments: str) -> list[dict[str, Any]]:
    ended = site.agent("history", *arguments, "-o", "json")
    assert ended.code == 0, ended.stderr
    Draft202012Validator(json.loads(_SCHEMA.read_text(encoding="utf-8"))).validate(ended.document)
    runs: list[dict[str, Any]] = ended.document["runs"]
    return runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """A run over three nodes: the canary was changed, the second put back, the third not touched."""

    site: Site
    settings: Path
    run_id: str
    ended: Ended

    def resume(self, run_id: str | None = None) -> Ended:
        return self.site.agent("apply", "--resume", run_id or self.run_id, ALLOWED, "--yes", "-o", "json")


@pytest.fixture(scope="module")
def halted(fresh_site: Site) -> Halted:
    site = fresh_site
    site.nodes[1].run(_BREAK)
    settings = site.lab.folder / "halt.yaml"
    settings.write_text(json.dumps({"registries": ["halt.lan"], "rollout": {"canary": 1, "batch": 1}}))
    # Named relative to the folder it is started in, as people do.
    inventory = site.lab.write_inventory("halt.ini", nodes=site.nodes)
    (site.lab.home / "halt.ini").symlink_to(inventory)
    (site.lab.home / "harbor-agent.yaml").symlink_to(settings)
    ended = site.agent("apply", "-i", "halt.ini", ALLOWED, "--note", "ticket 7", "--yes", "-o", "json")
    (site.lab.home / "harbor-agent.yaml").unlink()
    return Halted(site=site, settings=settings, run_id=ended.document["run_id"], ended=ended)


def test_a_halted_run_is_in_the_history_with_who_when_why_and_each_nodes_end(halted: Halted) -> None:
    assert halted.ended.code == 1, halted.ended.stderr
    assert f"harbor-agent apply --resume {halted.run_id}" in halted.ended.stderr
    (run,) = _history(halted.site, "show", halted.run_id)
    assert (run["kind"], run["state"], run["note"], run["exit_code"]) == ("apply", "ended", "ticket 7", 1)
    assert run["who"].startswith("root@")
    assert run["config"] == str(halted.site.lab.home / "harbor-agent.yaml")
    assert {node["node"]: node["outcome"] for node in run["nodes"]} == {
        "node1": "changed",
        "node2": "rolled_back",
        "node3": "skipped",
    }
    assert [node["reason"] for node in run["nodes"]] == [node["reason"] for node in halted.ended.document["nodes"]]
    text = halted.site.agent("history").stdout
    assert halted.run_id in text.splitlines()[1]
    assert "ticket 7" in text
    assert "rolled back" in halted.site.agent("history", "node", "node2").stdout


def test_it_is_taken_up_without_what_is_done_and_without_the_canary(halted: Halted) -> None:
    site = halted.site
    first = site.nodes[0]
    before = _dockerd(first)
    other = site.agent("apply", "--resume", halted.run_id, "--registry", "x.lan", "--yes", "-o", "json")
    assert (other.code, other.document["error"]["code"]) == (2, "flags-ambiguous")

    text = halted.settings.read_text()
    halted.settings.write_text(text.replace('"halt.lan"', '"halt.lan", "more.lan"'))
    config = site.lab.home / "harbor-agent.yaml"
    config.symlink_to(halted.settings)
    changed = halted.resume()
    assert changed.code == 5, changed.stderr
    assert {node["code"] for node in changed.document["nodes"]} == {"resume-policy-changed"}
    halted.settings.write_text(text)
    # Nothing was mended, so it halts at the same node; what went well in the first run counts in the third too.
    halted_again = halted.resume()
    assert (halted_again.code, halted_again.node("node3")["outcome"]) == (1, "skipped"), halted_again.stderr

    halted.settings.write_text(text.replace('"batch": 1', '"batch": 2'))
    site.nodes[1].run(_MEND)
    taken_up = halted.resume(halted_again.document["run_id"])
    assert taken_up.code == 0, taken_up.stderr
    assert "node1" not in {node["node"] for node in taken_up.document["nodes"]}
    assert taken_up.node("node2")["outcome"] == "changed"
    assert "change node2, node3" in taken_up.stderr
    assert taken_up.document["note"] == "ticket 7"
    assert _dockerd(first) == before
    assert all(node.succeeds("docker info | grep -q halt.lan") for node in site.nodes)

    run = _history(site)[0]
    assert (run["run_id"], run["resumes"]) == (taken_up.document["run_id"], halted_again.document["run_id"])
    again = site.agent("apply", "--resume", run["run_id"], "--yes", "-o", "json")
    assert (again.code, again.document["error"]["code"]) == (2, "run-complete")
    config.unlink()


def test_a_rollback_is_a_run_that_names_what_it_took_back_and_cannot_be_taken_up(halted: Halted) -> None:
    site = halted.site
    inventory = site.lab.write_inventory("back.ini", nodes=site.nodes[:1])
    applied = site.agent("apply", "-i", inventory, "--registry", "back.lan", ALLOWED, "--yes", "-o", "json")
    assert applied.code == 0, applied.stderr
    back = site.agent("rollback", applied.document["run_id"], "-i", inventory, "--yes", "-o", "json")
    assert back.code == 0, back.stderr
    assert site.agent("drift", "-i", inventory).code == 0, "what was taken back is what the node remembers"
    run, before, *_ = _history(site, "node", "node1")
    assert (run["run_id"], run["kind"], run["rolls_back"]) == (
        back.document["run_id"],
        "rollback",
        applied.document["run_id"],
    )
    assert before["run_id"] == applied.document["run_id"]
    assert [node["node"] for node in run["nodes"]] == ["node1"]
    again = site.agent("apply", "--resume", run["run_id"], "--yes", "-o", "json")
    assert (again.code, again.document["error"]["code"]) == (2, "run-not-resumable")


def test_a_history_that_cannot_be_read_or_written_stops_no_run(halted: Halted, tmp_path: Path) -> None:
    site = halted.site
    inventory = site.lab.write_inventory("spoilt.ini", nodes=site.nodes[2:3])
    file = tmp_path / "harbor-agent/history.sqlite3"
    file.parent.mkdir()
    file.write_bytes(b"no database at all" * 1000)
    ended = _apply_with_state(site, tmp_path, inventory, "spoilt.lan")
    assert "history-unusable" in _codes(ended)
    assert len(list(file.parent.glob("history.sqlite3.unreadable-*"))) == 1


def test_a_full_disk_stops_no_run(halted: Halted, tmp_path: Path) -> None:
    site = halted.site
    inventory = site.lab.write_inventory("full.ini", nodes=site.nodes[2:3])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=True)
    try:
        (tmp_path / "harbor-agent").mkdir()
        (tmp_path / "harbor-agent" / find_lock_file(str(inventory)).name).touch()
        with pytest.raises(OSError, match="No space"):
            (tmp_path / "ballast").write_bytes(bytes(1 << 20))
        ended = _apply_with_state(site, tmp_path, inventory, "full.lan")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert "history-unusable" in _codes(ended)
    assert site.nodes[2].succeeds("docker info | grep -q full.lan")


def _apply_with_state(site: Site, state: Path, inventory: Path, registry: str) -> dict[str, Any]:
    program = str(Path(sys.executable).with_name("harbor-agent"))
    argv = [
        program,
        "apply",
        "-i",
        str(inventory),
        "--registry",
        registry,
        ALLOWED,
        "--yes",
        "-o",
        "json",
    ]
    done = site.lab.run(argv, cwd=site.lab.home, env={"XDG_STATE_HOME": str(state)})
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _codes(report: dict[str, Any]) -> set[str]:
    return {warning["code"] for warning in report["warnings"]}


def _dockerd(node: LabNode) -> str:
    return node.run("systemctl show -p MainPID --value docker").stdout
