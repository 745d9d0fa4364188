"""One report of all shards, or a refusal that says what is wrong with the parts: of runs, plans and drift checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from harbor_agent.planning.rollout.shards import describe_fleet

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Runner

NODES = ["a", "b", "c", "d", "e"]
FLEET = describe_fleet(NODES)
INVENTORY = {"nodes": 9, "digest": "0" * 64}


def node(name: str, outcome: str = "changed", **more: object) -> dict[str, object]:
    facts = {"action": "reload", "transaction": "run", "verified": None, "proof": None, "logged_in": None}
    return {"node": name, "outcome": outcome, **facts, "code": None, "reason": "", "hint": None, "seconds": 1.0, **more}


def report(index: int, names: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {
        "schema": "harbor-agent/run/2",
        "tool": "harbor-agent 0",
        "run_id": f"run-{index}",
        "kind": "apply",
        "ended": "2026-11-24T06:09:06+00:00",
        "after": "run-0",
        "exit_code": 0,
        "note": "",
        "registries": [{"url": "http://192.168.0.99", "state": "present"}],
        "inventory": INVENTORY,
        "fleet": {"nodes": FLEET.nodes, "digest": FLEET.digest},
        "shard": {"index": index, "count": 3},
        "summary": {},
        "dns": None,
        "nodes": [node(name) for name in names],
        "secret": None,
        "halted": None,
        "warnings": [],
        **more,
    }


def save(folder: Path, documents: list[dict[str, Any]]) -> list[str]:
    for number, document in enumerate(documents):
        (folder / f"{number}.json").write_text(json.dumps(document))
    return [f"{number}.json" for number in range(len(documents))]


PARTS = [report(3, "de"), report(1, "ab"), report(2, "c")]


def test_the_parts_are_one_report(run: Runner, tmp_path: Path) -> None:
    secret = {"status": "changed", "secrets": [], "warnings": []}
    warning = {"code": "dns-name-missing", "message": "missing", "hint": ""}
    failed = node("c", "failed", code="docker-absent", reason="there is no Docker", hint="install it")
    parts = [
        PARTS[0] | {"warnings": [warning]},
        PARTS[1] | {"secret": secret, "warnings": [warning]},
        PARTS[2] | {"nodes": [failed], "exit_code": 1, "halted": "1 failed"},
    ]
    done = run("merge", *save(tmp_path, parts), "-o", "json")
    document: dict[str, Any] = done.document()
    assert done.rc == document["exit_code"] == 1
    assert [one["node"] for one in document["nodes"]] == ["a", "b", "c", "d", "e"]
    assert [one["shard"] for one in document["shards"]] == ["1/3", "2/3", "3/3"]
    assert [one["halted"] for one in document["shards"]] == [None, "1 failed", None]
    assert (document["secret"], document["warnings"], document["summary"]["failed"]) == (secret, [warning], 1)
    text = run("merge", *save(tmp_path, parts))
    assert text.rc == 1
    assert "there is no Docker" in text.out
    assert "shard 2/3: Halted: 1 failed; reason: 1 failed (run run-2)" in text.out
    assert text.out.splitlines()[-1].startswith("3 shards, 5 nodes: 4 changed, 1 failed")


@pytest.mark.parametrize(
    ("codes", "expected"), [((0, 0, 0), 0), ((4, 0, 5), 5), ((0, 6, 1), 6), ((0, 130, 0), 7), ((143, 1, 0), 1)]
)
def test_the_exit_code_is_the_most_severe(run: Runner, tmp_path: Path, codes: tuple[int, ...], expected: int) -> None:
    parts = [part | {"exit_code": code} for part, code in zip(PARTS, codes, strict=True)]
    assert run("merge", *save(tmp_path, parts)).rc == expected


@pytest.mark.parametrize(
    ("parts", "code", "reason"),
    [
        (PARTS[:2], "shards-incomplete", "there is no report of shard 2/3"),
        ([*PARTS, report(2, "c")], "shards-overlap", "2.json and 3.json are both reports of shard 2/3"),
        ([*PARTS[:2], report(2, "ca")], "shards-overlap", "nodes are in two reports: a"),
        ([*PARTS[:2], report(2, "")], "shards-incomplete", "the reports have 4 nodes, and the fleet has 5"),
        ([*PARTS[:2], report(2, "x")], "shards-incomplete", "the reports have other nodes than the fleet"),
        ([*PARTS[:2], report(2, "c", shard=None)], "shards-differ", "2.json is the report of a run without --shard"),
        ([*PARTS[:2], report(2, "c", kind="verify")], "shards-differ", "the kinds of the runs are apply and verify"),
        ([*PARTS[:2], report(2, "c", after="x")], "shards-differ", "their canaries are run-0 and x"),
        (
            [*PARTS[:2], report(2, "c", shard={"index": 2, "count": 4})],
            "shards-differ",
            "the numbers of shards are 3 and 4",
        ),
        (
            [*PARTS[:2], report(2, "c", inventory={"nodes": 8, "digest": "1" * 64})],
            "shards-differ",
            "the inventories have different hosts: 9 (000000000000) and 8 (111111111111)",
        ),
        (
            [*PARTS[:2], report(2, "c", fleet={"nodes": 4, "digest": "1" * 64})],
            "shards-differ",
            "--limit selected different nodes:",
        ),
    ],
)
def test_parts_that_are_not_the_whole_are_refused(
    run: Runner, tmp_path: Path, parts: list[dict[str, Any]], code: str, reason: str
) -> None:
    done = run("merge", *save(tmp_path, parts), "-o", "json")
    error: Any = done.document()["error"]
    assert (done.rc, error["code"]) == (2, code)
    assert reason in error["message"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it is empty"),
        (json.dumps(PARTS[2])[:-40], "it is cut off"),
        ("[]", "Expected `object`"),
        ('{"schema": "harbor-agent/trust/2"}', "its schema is harbor-agent/trust/2"),
        ('{"schema": "harbor-agent/plan/2", "nodes": []}', "an older version"),
        ('{"schema": "harbor-agent/drift/2", "fleet": null, "shard": null}', "missing required field"),
        ('{"schema": "harbor-agent/run/2", "run_id": "x"}', "an older version"),
        (
            '{"schema": "harbor-agent/error/2", "error": {"code": "run-locked", "message": "held by ops", "hint": ""}}',
            "but of its early end: held by ops",
        ),
        (json.dumps(PARTS[2] | {"shard": {"index": 4, "count": 3}}), "shard 4 of 3 does not exist"),
    ],
)
def test_a_file_that_is_no_report_is_refused(run: Runner, tmp_path: Path, content: str, reason: str) -> None:
    names = save(tmp_path, PARTS[:2])
    (tmp_path / "cut.json").write_text(content)
    done = run("merge", *names, "cut.json", "-o", "json")
    error: Any = done.document()["error"]
    assert (done.rc, error["code"]) == (2, "report-unreadable")
    assert reason in error["message"]


def frame(schema: str, index: int, names: str, code: int, **more: object) -> dict[str, Any]:
    """What a plan and a drift check have in common; `more` are further members."""
    return {
        "schema": f"harbor-agent/{schema}/2",
        "tool": "harbor-agent 0",
        "exit_code": code,
        "inventory": INVENTORY,
        "fleet": {"nodes": FLEET.nodes, "digest": FLEET.digest},
        "shard": {"index": index, "count": 3},
        "dns": None,
        "groups": [],
        "warnings": [],
        "nodes": [{"node": name} for name in names],
        **more,
    }


def planned(index: int, names: str, code: int, status: str, **more: object) -> dict[str, Any]:
    problem = {"code": "docker-absent" if status == "refused" else None, "reason": "there is no Docker", "hint": None}
    facts = {
        "runtime": "docker",
        "status": status,
        "route": "drop-in",
        "action": "reload",
        "activation": None,
        "files": [],
        "containers_stopped": [],
        "live_restore": "none",
        "apply_refuses": None,
        "warnings": [],
        "hypothetical": False,
        "seconds": 1.0,
        **problem,
    }
    summary = dict.fromkeys(("change", "unchanged", "refused", "unreachable", "failed", "skipped"), 0)
    own: dict[str, object] = {"summary": summary | {status: len(names)}, "secret": None}
    own["nodes"] = [{"node": name, **facts} for name in names]
    return frame("plan", index, names, code, **(own | more))


def checked(index: int, names: str, code: int, status: str, **more: object) -> dict[str, Any]:
    facts = {
        "status": status,
        "in_files": False,
        "at_runtime": False,
        "files": [],
        "entries": [],
        "arguments": {"missing": [], "added": []},
        "recorded_by": None,
        "quarantined_since": None,
        "message": None,
        "code": None,
        "reason": "differs",
        "hint": None,
        "seconds": 1.0,
    }
    states = ("in_sync", "drift", "pending", "unmanaged", "busy", "unreachable", "failed", "skipped")
    own: dict[str, object] = {"summary": dict.fromkeys(states, 0) | {status: len(names)}, "secrets": None}
    own["nodes"] = [{"node": name, **facts} for name in names]
    return frame("drift", index, names, code, **(own | {"run": None, "blocked_by": None} | more))


def validate(document: dict[str, Any]) -> None:
    name = document["schema"].removeprefix("harbor-agent/").replace("/", "-")
    file = Path(__file__).resolve().parents[3] / f"docs/schemas/{name}.json"
    Draft202012Validator(json.loads(file.read_text(encoding="utf-8"))).validate(document)


def test_the_plans_of_shards_are_one_plan(run: Runner, tmp_path: Path) -> None:
    secret = {"status": "unchanged", "secrets": [], "warnings": []}
    parts = [
        planned(2, "c", 5, "refused"),
        planned(1, "ab", 3, "change", secret=secret),
        planned(3, "de", 3, "change"),
    ]
    done = run("merge", *save(tmp_path, parts), "-o", "json")
    document: dict[str, Any] = done.document()
    assert done.rc == document["exit_code"] == 5
    validate(document)
    assert [one["node"] for one in document["nodes"]] == ["a", "b", "c", "d", "e"]
    assert [(group["status"], group["nodes"]) for group in document["groups"]] == [
        ("change", ["a", "b", "d", "e"]),
        ("refused", ["c"]),
    ]
    assert (document["summary"]["change"], document["summary"]["refused"]) == (4, 1)
    assert (document["secret"], document["shard"]) == (secret, None)
    assert [one["exit_code"] for one in document["shards"]] == [3, 5, 3]
    text = run("merge", *save(tmp_path, parts)).out.splitlines()
    assert text[:2] == ["a, b, d, e: change", "c: refused: there is no Docker [docker-absent]"]
    assert text[-2:] == ["shard 3/3: 2 change", "3 shards, 5 nodes: 4 change, 1 refused"]
    comment = run("merge", *save(tmp_path, parts), "-o", "markdown")
    assert (comment.rc, "there is no Docker" in comment.out, "4 nodes: change" in comment.out) == (5, True, True)


def test_the_drift_of_shards_is_one_check(run: Runner, tmp_path: Path) -> None:
    problem = {"code": "drift-suspect", "message": "too many", "hint": "look"}
    corrected = PARTS[0] | {"kind": "correct"}
    parts = [
        checked(1, "ab", 0, "in_sync", secrets={"secrets": [], "code": None, "reason": None, "hint": None}),
        checked(2, "c", 7, "drift", blocked_by=problem),
        checked(3, "de", 0, "in_sync", run=corrected, warnings=[problem]),
    ]
    done = run("merge", *save(tmp_path, parts), "-o", "json")
    document: dict[str, Any] = done.document()
    assert done.rc == document["exit_code"] == 7
    validate(document)
    assert (document["blocked_by"], document["run"], document["warnings"]) == (problem, corrected, [problem])
    assert [one["run"] for one in document["shards"]] == [None, None, corrected]
    assert document["secrets"]["secrets"] == []
    assert run("merge", *save(tmp_path, parts)).out.splitlines()[-1] == "3 shards, 5 nodes: 4 in sync, 1 drift"
    cases = run("merge", *save(tmp_path, parts), "-o", "junit")
    assert (cases.rc, "too many" in cases.out) == (7, True)
    parts[0]["run"] = corrected
    several: dict[str, Any] = run("merge", *save(tmp_path, parts), "-o", "json").document()
    assert several["run"] is None


@pytest.mark.parametrize(
    ("last", "code", "reason"),
    [
        (planned(3, "d", 0, "change"), "shards-incomplete", "the reports have 4 nodes, and the fleet has 5"),
        (planned(2, "de", 0, "change"), "shards-overlap", "are both reports of shard 2/3"),
        (planned(3, "da", 0, "change"), "shards-overlap", "nodes are in two reports: a"),
        (planned(3, "de", 0, "change", shard=None), "shards-differ", "is the report of a run without --shard"),
        (checked(3, "de", 0, "drift"), "shards-differ", "the kinds of the runs are plan and drift"),
        (report(3, "de"), "shards-differ", "the kinds of the runs are plan and apply"),
    ],
)
def test_plans_that_are_not_the_whole_are_refused(
    run: Runner, tmp_path: Path, last: dict[str, Any], code: str, reason: str
) -> None:
    parts = [planned(1, "ab", 0, "change"), planned(2, "c", 0, "change"), last]
    done = run("merge", *save(tmp_path, parts), "-o", "json")
    error: Any = done.document()["error"]
    assert (done.rc, error["code"]) == (2, code)
    assert reason in error["message"]


def test_a_missing_file_is_named(run: Runner) -> None:
    done = run("merge", "nowhere.json")
    assert done.rc == 2
    assert "cannot read nowhere.json: no such file or directory" in done.err
