"""What the shell completes, by its real protocol, and in a real bash."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.history.runs import Store
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import PastNode, PastRun, RunKind
from tests.unit.cli.api_stub import NAMESPACES, serve_objects

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAM = Path(sys.executable).with_name("harbor-agent")
INVENTORY = "[kube_node]\nnode1\nnode2\n[etcd]\nnode1\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inventory.ini").write_text(INVENTORY, encoding="utf-8")
    return tmp_path


def add(nodes: list[tuple[str, Outcome]]) -> str:
    """Add a run to the history; return its ID."""
    with Store() as store:
        run = PastRun(
            run_id=f"20261124T060906Z-fe1{len(store.list_runs())}",
            kind=RunKind.APPLY,
            tool="harbor-agent 0",
            started="2026-11-24T06:09:06+00:00",
            who="ops@ctl",
            options="{}",
            nodes=tuple(PastNode(node=name, policy_digest="d", outcome=outcome) for name, outcome in nodes),
        )
        store.add_run(run)
    return run.run_id


def complete(*words: str) -> list[str]:
    """Return what is completed for the last of `words`; nothing else is printed."""
    environment: Mapping[str, str] = {
        **os.environ,
        "_HARBOR_AGENT_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(["harbor-agent", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run([PROGRAM], env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_runs_and_nodes_come_from_the_history(home: Path) -> None:
    assert complete("history", "show", "") == []
    assert not (home / "state").exists(), "completion creates no history"
    first = add([("node7", Outcome.CHANGED)])
    second = add([("node7", Outcome.CHANGED), ("other", Outcome.FAILED)])
    assert complete("history", "show", "") == [second, first]
    assert complete("rollback", first) == [first]
    assert complete("apply", "--resume", second) == [second]
    assert complete("history", "node", "no") == ["node7"]
    assert complete("drift", "release", "o") == ["other"]
    assert complete("rollback", "--node", "") == ["node7", "other"]


def test_hosts_and_groups_come_from_the_inventory_on_the_line(home: Path) -> None:
    assert complete("plan", "-i", "inventory.ini", "--limit", "") == ["kube_node", "node1", "node2", "etcd", "@failed"]
    assert complete("apply", "-i", "inventory.ini", "-i", "x1,x2,", "--limit", "etcd,x") == ["etcd,x1", "etcd,x2"]
    assert complete("rollback", "-i", "inventory.ini", "--node", "n") == ["node1", "node2"]
    assert complete("plan", "-i", "missing.ini", "--limit", "n") == []
    (home / "broken.yml").write_text("a: [", encoding="utf-8")
    assert complete("plan", "-i", "broken.yml", "--limit", "n") == []


def test_contexts_and_namespaces_come_from_the_kubeconfig(home: Path) -> None:
    kubeconfig = home / "kubeconfig"
    with serve_objects(kubeconfig) as requests:
        assert complete("secret", "apply", "--kubeconfig", "kubeconfig", "--context", "") == ["here", "there"]
        assert requests == []
        assert complete("apply", "--kubeconfig", "kubeconfig", "-n", "") == list(NAMESPACES)
        assert complete("secret", "show", "--kubeconfig", "kubeconfig", "-n", "d") == ["default", "demo"]
    assert complete("apply", "--kubeconfig", "kubeconfig", "-n", "") == ["demo"], "a dead cluster: that of the context"
    assert complete("apply", "--kubeconfig", "kubeconfig", "--context", "there", "-n", "") == []
    assert complete("apply", "--kubeconfig", "missing", "-n", "") == []


def test_a_login_plugin_is_not_started(home: Path) -> None:
    with serve_objects(home / "kubeconfig"):
        text = (home / "kubeconfig").read_text(encoding="utf-8")
    plugin = '{"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": ["asked"]}}'
    (home / "kubeconfig").write_text(text.replace('"user": {}', f'"user": {plugin}'), encoding="utf-8")
    assert complete("apply", "--kubeconfig", "kubeconfig", "-n", "") == ["demo"]
    assert not (home / "asked").exists()


def test_a_history_that_cannot_be_read_completes_nothing(home: Path) -> None:
    with Store() as store:
        file = store.file
    assert home in file.parents
    file.write_bytes(b"not a database at all" * 100)
    assert complete("history", "show", "") == []


def test_names_of_schemas_and_codes_are_completed(home: Path) -> None:
    assert home.is_dir()
    assert complete("schema", "plan") == ["plan-2", "plan-file-2"]
    assert "host-key-unknown" in complete("explain", "host-key-")


def type_in_bash(text: str, expected: str) -> str:
    """Type into an interactive bash that has the completion; return the screen once it shows `expected`."""
    script = subprocess.run(
        [PROGRAM], env={**os.environ, "_HARBOR_AGENT_COMPLETE": "source_bash"}, capture_output=True, check=True
    ).stdout
    Path("completion.sh").write_bytes(script)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "$ "}
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    os.write(ours, f". ./completion.sh\n{text}\t".encode())
    screen, end = "", time.monotonic() + 60
    try:
        while expected not in screen and time.monotonic() < end:
            if select.select([ours], [], [], 1)[0]:
                screen += os.read(ours, 4096).decode(errors="replace")
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)
    return screen


def test_a_real_bash_completes_a_run(home: Path) -> None:
    assert home.is_dir()
    run = add([("node7", Outcome.CHANGED)])
    assert f"harbor-agent history show {run}" in type_in_bash("harbor-agent history show 2", f"show {run}")


def test_a_real_bash_completes_files_where_files_belong(home: Path) -> None:
    (home / "settings-of-shop.yaml").touch()
    for words in ("plan -c", "config check", "merge"):
        expected = f"{words} settings-of-shop.yaml"
        assert expected in type_in_bash(f"harbor-agent {words} sett", expected)
