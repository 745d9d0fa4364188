"""A plan file is applied exactly as written, or refused."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Runner

DROP_IN = Path("etc/systemd/system/docker.service.d/docker-options.conf")


@pytest.fixture
def plan_file(run: Runner, tree: Path, tmp_path: Path) -> Path:
    ran = run("plan", "--root", str(tree), "--registry", "192.168.0.99", "--out", "p.json", "--note", "ticket 7")
    assert ran.rc == 0, ran.err
    return tmp_path / "p.json"


def test_holds_hashes_and_no_content_for_its_owner_only(run: Runner, plan_file: Path) -> None:
    assert stat.S_IMODE(plan_file.stat().st_mode) == 0o600
    assert "--insecure-registry" not in plan_file.read_text()
    document = run("plan", "show", "p.json", "-o", "json").document()
    assert document == json.loads(plan_file.read_text())
    assert document["nodes"][0]["files"][0]["before"] == "absent - - - -"  # type: ignore[index]


def test_show_prints_text_for_people(run: Runner, plan_file: Path) -> None:
    out = run("plan", "show", plan_file.name).out
    assert "valid for 24 hours" in out
    assert "ticket 7" in out
    assert f"/{DROP_IN}: absent -> " in out
    assert "this file has only hashes; for a plan file that shows the diffs: harbor-agent plan --out FILE" in out


def test_diffs_are_kept_for_the_approver_as_the_plan_shows_them(run: Runner, tree: Path, tmp_path: Path) -> None:
    (tree / DROP_IN).parent.mkdir(parents=True)
    (tree / DROP_IN).write_text(
        "[Service]\nEnvironment=HTTP_PROXY=http://u:canary-78@proxy:3128\nEnvironment=DOCKER_OPTS=--mtu=1400\n"
    )
    planned = run("plan", "--root", str(tree), "--registry", "192.168.0.99", "--out", "p.json", "--with-diffs")
    assert planned.rc == 0, planned.err
    assert stat.S_IMODE((tmp_path / "p.json").stat().st_mode) == 0o600
    document = run("plan", "show", "p.json", "-o", "json").document()
    (file,) = document["nodes"][0]["files"]  # type: ignore[index]
    assert document["with_diffs"] is True
    assert "http://***@proxy:3128" in file["diff"]
    shown = run("plan", "show", "p.json").out
    lines = [line.strip() for line in file["diff"].splitlines() if line[:1] in "+-"]
    assert any("--insecure-registry=192.168.0.99" in line for line in lines)
    for text in (shown, planned.out):
        assert all(line in text for line in lines)
    assert "only hashes" not in shown
    assert "canary-78" not in (tmp_path / "p.json").read_text() + shown
    ran = run("apply", "p.json")
    assert (ran.rc, "--insecure-registry=192.168.0.99" in (tree / DROP_IN).read_text()) == (0, True), ran.err


def test_a_diff_that_is_not_that_of_the_change_is_refused(run: Runner, tree: Path, tmp_path: Path) -> None:
    run("plan", "--root", str(tree), "--registry", "192.168.0.99", "--out", "p.json", "--with-diffs")
    text = (tmp_path / "p.json").read_text()
    assert "192.168.0.99" in json.loads(text)["nodes"][0]["files"][0]["diff"]
    shown = json.loads(text)
    shown["nodes"][0]["files"][0]["diff"] = "--- /dev/null\n+++ /etc/motd\n"
    (tmp_path / "p.json").write_text(json.dumps(shown))
    ran = run("apply", "p.json", "-o", "json")
    (node,) = ran.document()["nodes"]  # type: ignore[misc]
    assert (ran.rc, node["code"]) == (5, "plan-stale")
    assert not (tree / DROP_IN).exists()


def test_a_diff_with_a_password_that_no_rule_masks_is_not_written(run: Runner, tree: Path, tmp_path: Path) -> None:
    (tree / DROP_IN).parent.mkdir(parents=True)
    (tree / DROP_IN).write_text("# ask for canary-79\n[Service]\nEnvironment=DOCKER_OPTS=--mtu=1400\n")
    named = ("plan", "--root", str(tree), "--registry", "h", "--username", "u", "--password-stdin", "--out", "p.json")
    ran = run(*named, "-o", "json", "--with-diffs", stdin="canary-79\n")
    error = ran.document()["error"]
    assert (ran.rc, error["code"]) == (2, "diff-holds-secret")  # type: ignore[index]
    assert str(DROP_IN) in error["message"]  # type: ignore[index]
    assert not (tmp_path / "p.json").exists()
    assert run(*named, stdin="canary-79\n").rc == 0
    assert "canary-79" not in (tmp_path / "p.json").read_text()


def test_diffs_without_a_file_for_them_are_refused(run: Runner, tree: Path) -> None:
    ran = run("plan", "--root", str(tree), "--registry", "h", "--with-diffs")
    assert (ran.rc, "add --out FILE" in ran.err) == (2, True)


def test_what_was_approved_is_done_without_another_question(run: Runner, plan_file: Path, tree: Path) -> None:
    ran = run("apply", plan_file.name, "-o", "json")
    assert ran.rc == 0
    assert ran.document()["note"] == "ticket 7"
    assert (tree / DROP_IN).exists()


@pytest.mark.usefixtures("plan_file")
def test_a_file_that_was_edited_since_is_refused_and_named(run: Runner, tree: Path) -> None:
    (tree / DROP_IN).parent.mkdir(parents=True)
    (tree / DROP_IN).write_text("[Service]\nEnvironment=DOCKER_OPTS=--mtu=1400\n")
    ran = run("apply", "p.json", "--yes", "-o", "json")
    assert ran.rc == 5
    (node,) = ran.document()["nodes"]  # type: ignore[misc]
    assert (node["outcome"], node["code"]) == ("refused", "plan-stale")
    assert str(DROP_IN) in node["reason"]
    assert "192.168.0.99" not in (tree / DROP_IN).read_text()


@pytest.mark.usefixtures("plan_file")
def test_settings_that_changed_since_are_refused(run: Runner, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "harbor-agent.yaml").write_text("rollout: {batch: 50%}\n")
    ran = run("apply", "p.json", "--yes", "-o", "json")
    assert (ran.rc, ran.document()["error"]["code"]) == (2, "plan-stale")  # type: ignore[index]
    assert not (tree / DROP_IN).exists()


def test_an_expired_plan_is_refused(run: Runner, tree: Path) -> None:
    run("plan", "--root", str(tree), "--registry", "h", "--out", "p.json", "--valid-hours", "0")
    ran = run("apply", "p.json", "--yes", "-o", "json")
    assert (ran.rc, ran.document()["error"]["code"]) == (2, "plan-expired")  # type: ignore[index]


@pytest.mark.usefixtures("plan_file")
def test_other_options_beside_a_plan_file_are_refused(run: Runner) -> None:
    assert run("apply", "p.json", "--registry", "other", "--yes").rc == 2


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"{}", b'{"schema": "harbor-agent/plan/1"}', b"[]"])
def test_what_is_no_plan_file_is_said(run: Runner, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    ran = run("apply", "x", "--yes")
    assert ran.rc == 2
    assert "x is not a plan file" in ran.err


def test_a_plan_file_of_an_older_version_is_refused(run: Runner, plan_file: Path, tree: Path) -> None:
    older = json.loads(plan_file.read_text()) | {"schema": "harbor-agent/plan-file/1"}
    plan_file.write_text(json.dumps(older))
    ran = run("apply", plan_file.name, "--yes", "-o", "json")
    error = ran.document()["error"]
    assert (ran.rc, error["code"]) == (2, "plan-file-invalid")  # type: ignore[index]
    assert "was created by an older version of harbor-agent" in error["message"]  # type: ignore[index]
    assert error["hint"].startswith("plan again")  # type: ignore[index]
    assert not (tree / DROP_IN).exists()


def test_the_password_is_never_written_down(run: Runner, tree: Path, tmp_path: Path) -> None:
    arguments = (
        "plan",
        "--root",
        str(tree),
        "--registry",
        "h",
        "--username",
        "u",
        "--password-stdin",
        "--out",
        "p.json",
    )
    assert run(*arguments, stdin="canary-77\n").rc == 0
    assert "canary-77" not in (tmp_path / "p.json").read_text()
