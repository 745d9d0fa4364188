"""The command line of shards: each machine takes its part, and says which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Runner

NODES = [f"node{number}" for number in range(1, 7)]
ARGUMENTS = ("-i", "hosts", "--registry", "192.168.0.99", "-o", "json")


@pytest.fixture(autouse=True)
def hosts(tmp_path: Path) -> None:
    """Nodes that refuse every connection at once."""
    lines = [f"{name} ansible_host=127.0.0.1 ansible_port={n}" for n, name in enumerate(NODES, 1)]
    (tmp_path / "hosts").write_text("\n".join(lines) + "\n")


def test_the_shards_of_a_run_have_every_node_once(run: Runner) -> None:
    documents = [run("verify", *ARGUMENTS, "--shard", f"{index}/3").document() for index in (1, 2, 3)]
    reported = [node["node"] for document in documents for node in document["nodes"]]  # type: ignore[attr-defined, index]
    assert sorted(reported) == NODES
    assert [document["shard"] for document in documents] == [{"index": n, "count": 3} for n in (1, 2, 3)]
    assert {document["kind"] for document in documents} == {"verify"}
    whole = run("verify", *ARGUMENTS).document()
    assert whole["shard"] is None
    assert all(document[member] == whole[member] for document in documents for member in ("inventory", "fleet"))
    limited = run("verify", *ARGUMENTS, "--limit", "node1").document()
    assert limited["inventory"] == whole["inventory"]
    assert limited["fleet"] != whole["fleet"]


@pytest.mark.parametrize("command", [("plan",), ("drift",), ("verify",), ("apply", "--yes", "--after", "none.json")])
def test_every_command_for_nodes_takes_a_shard(run: Runner, command: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*command, *ARGUMENTS, "--shard", "2/3", XDG_STATE_HOME=str(tmp_path / "state"))
    assert "shard 2/3: 2 of 6 nodes" in done.err


def test_a_shard_without_a_canary_is_refused_before_any_node_is_asked(run: Runner) -> None:
    done = run("apply", *ARGUMENTS, "--yes", "--shard", "2/3")
    assert (done.rc, done.document()["error"]["code"]) == (2, "canary-missing")  # type: ignore[index]
    assert "probe nodes" not in done.err


def test_a_shard_of_a_rollback_needs_a_canary_too(run: Runner) -> None:
    done = run("rollback", "--pristine", "-i", "hosts", "-o", "json", "--yes", "--shard", "2/3")
    error = done.document()["error"]
    assert (done.rc, error["code"]) == (2, "canary-missing")  # type: ignore[index]
    assert "harbor-agent rollback … --limit NODES" in error["hint"]  # type: ignore[index]
    assert "probe nodes" not in done.err


@pytest.mark.parametrize("command", ["plan", "drift"])
def test_the_shards_of_a_plan_and_of_a_check_are_merged(run: Runner, tmp_path: Path, command: str) -> None:
    files = []
    for index in (1, 2, 3):
        done = run(command, *ARGUMENTS, "--shard", f"{index}/3", XDG_STATE_HOME=str(tmp_path / "state"))
        assert done.document()["exit_code"] == done.rc
        files.append(f"{index}.json")
        (tmp_path / files[-1]).write_text(done.out)
    merged = run("merge", *files, "-o", "json")
    assert merged.rc == merged.document()["exit_code"] == 4
    assert sorted(node["node"] for node in merged.document()["nodes"]) == NODES  # type: ignore[attr-defined, index]


def test_an_empty_shard_is_no_error(run: Runner) -> None:
    done = run("verify", "-i", "a,b,", "--registry", "192.168.0.99", "-o", "json", "--limit", "a", "--shard", "1/9")
    assert (done.rc, done.document()["nodes"]) == (0, [])


def test_the_number_of_an_indexed_job_is_the_shard(run: Runner) -> None:
    document = run("verify", *ARGUMENTS, "--shard", "auto/3", JOB_COMPLETION_INDEX="1").document()
    assert document["shard"] == {"index": 2, "count": 3}


@pytest.mark.parametrize(
    ("shard", "index", "code"),
    [
        ("auto/3", None, "shard-index-missing"),
        ("auto/3", "", "shard-index-missing"),
        ("auto/3", "-1", "shard-index-missing"),
        ("auto/3", "3", "shard-invalid"),
        ("4/3", None, "shard-invalid"),
        ("0/3", None, "shard-invalid"),
        ("3", None, "shard-invalid"),
        ("1/0", None, "shard-invalid"),
    ],
)
def test_a_shard_that_cannot_be_known_is_refused(run: Runner, shard: str, index: str | None, code: str) -> None:
    done = run("verify", *ARGUMENTS, "--shard", shard, **({} if index is None else {"JOB_COMPLETION_INDEX": index}))
    assert (done.rc, done.document()["error"]["code"]) == (2, code)  # type: ignore[index]


def test_one_machine_has_no_shards(run: Runner) -> None:
    done = run("verify", "--transport", "local", "--registry", "192.168.0.99", "-o", "json", "--shard", "1/2")
    assert (done.rc, done.document()["error"]["code"]) == (2, "flags-ambiguous")  # type: ignore[index]
