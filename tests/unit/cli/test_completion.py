"""What the shell completes, by its real protocol, and in a real bash, zsh and fish."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.history.runs import Store
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import PastNode, PastRun, RunKind
from tests.lab.waiting import wait_until
from tests.unit.cli.api_stub import NAMESPACES, serve_objects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROGRAM = Path(sys.executable).with_name("harbor-agent")
CLEAR_LINE = "\x15"
INVENTORY = "[kube_node]\nnode1\nnode2\n[etcd]\nnode1\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inventory.ini").write_text(INVENTORY, encoding="utf-8")
    return tmp_path


def add(nodes: list[tuple[str, Outcome]], note: str = "") -> str:
    """Add a run to the history; return its ID."""
    with Store() as store:
        run = PastRun(
            run_id=f"20261124T060906Z-fe1{len(store.list_runs())}",
            kind=RunKind.APPLY,
            tool="harbor-agent 0",
            started="2026-11-24T06:09:06+00:00",
            who="ops@ctl",
            options="{}",
            note=note,
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


def assert_completed(expected: Sequence[str], *words: str) -> None:
    """Ask until the answer is this one: a name that takes longer than two seconds to find is not completed."""
    wait_until(lambda: complete(*words) == list(expected), f"{' '.join(words)} completes {expected}", seconds=60)


def test_runs_and_nodes_come_from_the_history(home: Path) -> None:
    assert complete("history", "show", "") == []
    assert not (home / "state").exists(), "completion creates no history"
    first = add([("node7", Outcome.CHANGED)])
    second = add([("node7", Outcome.CHANGED), ("other", Outcome.FAILED)])
    assert_completed([second, first], "history", "show", "")
    assert_completed([first], "rollback", first)
    assert_completed([second], "apply", "--resume", second)
    assert_completed(["node7"], "history", "node", "no")
    assert_completed(["other"], "drift", "release", "o")
    assert_completed(["node7", "other"], "rollback", "--node", "")


def test_hosts_and_groups_come_from_the_inventory_on_the_line(home: Path) -> None:
    assert_completed(["kube_node", "node1", "node2", "etcd", "@failed"], "plan", "-i", "inventory.ini", "--limit", "")
    assert_completed(["etcd,x1", "etcd,x2"], "apply", "-i", "inventory.ini", "-i", "x1,x2,", "--limit", "etcd,x")
    assert_completed(["node1", "node2"], "rollback", "-i", "inventory.ini", "--node", "n")
    assert complete("plan", "-i", "missing.ini", "--limit", "n") == []
    (home / "broken.yml").write_text("a: [", encoding="utf-8")
    assert complete("plan", "-i", "broken.yml", "--limit", "n") == []


def test_contexts_and_namespaces_come_from_the_kubeconfig(home: Path) -> None:
    kubeconfig = home / "kubeconfig"
    with serve_objects(kubeconfig) as requests:
        assert_completed(["here", "there"], "secret", "apply", "--kubeconfig", "kubeconfig", "--context", "")
        assert requests == []
        assert_completed(NAMESPACES, "apply", "--kubeconfig", "kubeconfig", "-n", "")
        assert_completed(["default", "demo"], "secret", "show", "--kubeconfig", "kubeconfig", "-n", "d")
    assert_completed(["demo"], "apply", "--kubeconfig", "kubeconfig", "-n", "")  # a dead cluster: that of the context
    assert complete("apply", "--kubeconfig", "kubeconfig", "--context", "there", "-n", "") == []
    assert complete("apply", "--kubeconfig", "missing", "-n", "") == []


def test_a_login_plugin_is_not_started(home: Path) -> None:
    with serve_objects(home / "kubeconfig"):
        text = (home / "kubeconfig").read_text(encoding="utf-8")
    plugin = '{"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": ["asked"]}}'
    (home / "kubeconfig").write_text(text.replace('"user": {}', f'"user": {plugin}'), encoding="utf-8")
    assert_completed(["demo"], "apply", "--kubeconfig", "kubeconfig", "-n", "")
    assert not (home / "asked").exists()


def test_a_history_that_cannot_be_read_completes_nothing(home: Path) -> None:
    with Store() as store:
        file = store.file
    assert home in file.parents
    file.write_bytes(b"not a database at all" * 100)
    assert complete("history", "show", "") == []


def test_names_of_schemas_and_codes_are_completed(home: Path) -> None:
    assert home.is_dir()
    assert_completed(["plan-2", "plan-file-2"], "schema", "plan")
    assert "host-key-unknown" in complete("explain", "host-key-")


def write_script(shell: str) -> None:
    """Write what `--install-completion` puts into the shell's start."""
    environment = {**os.environ, "_HARBOR_AGENT_COMPLETE": f"source_{shell}"}
    Path("completion").write_bytes(subprocess.run([PROGRAM], env=environment, capture_output=True, check=True).stdout)


def environment_of_shell() -> dict[str, str]:
    return {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "$ "}


def type_in(shell: Sequence[str], start: str, lines: Mapping[str, str]) -> str:
    """Type lines into an interactive shell that has the completion, each with a tab, until it shows what is expected.

    A line is typed again if the shell is silent for long: a name that takes long to find is not completed. Returns the
    screen.
    """
    write_script(shell[0])
    ours, theirs = pty.openpty()
    process = subprocess.Popen(shell, stdin=theirs, stdout=theirs, stderr=theirs, env=environment_of_shell())
    os.close(theirs)
    os.write(ours, f"{start}\n".encode())
    screen, end = "", time.monotonic() + 60
    try:
        for line, expected in lines.items():
            os.write(ours, f"{CLEAR_LINE}{line}\t".encode())
            while expected not in screen and time.monotonic() < end:
                if select.select([ours], [], [], 10)[0]:
                    screen += os.read(ours, 4096).decode(errors="replace")
                else:
                    os.write(ours, f"{CLEAR_LINE}{line}\t".encode())
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return screen


def type_in_bash(text: str, expected: str) -> str:
    return type_in(["bash", "--norc", "--noprofile", "-i"], ". ./completion", {text: expected})


def test_a_real_bash_completes_a_run(home: Path) -> None:
    assert home.is_dir()
    run = add([("node7", Outcome.CHANGED)])
    assert f"harbor-agent history show {run}" in type_in_bash("harbor-agent history show 2", f"show {run}")


def test_a_real_bash_completes_files_where_files_belong(home: Path) -> None:
    (home / "settings-of-shop.yaml").touch()
    for words in ("plan -c", "config check", "merge"):
        expected = f"{words} settings-of-shop.yaml"
        assert expected in type_in_bash(f"harbor-agent {words} sett", expected)


def lines_of_everything(run: str) -> dict[str, str]:
    """What a person types, and what becomes of it: a run, node, group, context, namespace, pattern, and a file."""
    cluster = "harbor-agent secret apply --kubeconfig kubeconfig"
    ends = {
        f"harbor-agent history show {run[:-2]}": run,
        "harbor-agent drift release nod": "node7",
        "harbor-agent plan -i inventory.ini --limit kub": "kube_node",
        "harbor-agent plan -i inventory.ini --limit node1:kub": "node1:kube_node",
        f"{cluster} --context the": "there",
        f"{cluster} -n dem": "demo",
        "harbor-agent plan -c settings-of": "settings-of-shop.yaml",
    }
    return {line: f"{line.rpartition(' ')[0]} {end}" for line, end in ends.items()}


@pytest.mark.needs("zsh")
def test_a_real_zsh_completes_the_same(home: Path) -> None:
    (home / "settings-of-shop.yaml").touch()
    # What a person wrote in a note is a description, and nothing that the shell runs.
    run = add([("node7", Outcome.CHANGED)], note='it\'s "$(touch run)" `touch run` [x]: y')
    lines = lines_of_everything(run)
    with serve_objects(home / "kubeconfig"):
        screen = type_in(["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -D -u; . ./completion", lines)
    for expected in lines.values():
        assert expected in screen, screen
    assert not (home / "run").exists()


@pytest.mark.needs("fish")
def test_a_real_fish_completes_the_same(home: Path) -> None:
    (home / "settings-of-shop.yaml").touch()
    lines = lines_of_everything(add([("node7", Outcome.CHANGED)], note='it\'s "$(touch run)" `touch run`'))
    write_script("fish")

    def is_completed(line: str, expected: str) -> bool:
        asked = ["fish", "--no-config", "-c", f"source ./completion; complete -C '{line}'"]
        done = subprocess.run(asked, env=environment_of_shell(), capture_output=True, text=True, timeout=60, check=True)
        return [one.partition("\t")[0] for one in done.stdout.splitlines()] == [expected.rpartition(" ")[2]]

    with serve_objects(home / "kubeconfig"):
        for line, expected in lines.items():
            # A name that takes long to find is not completed.
            wait_until(partial(is_completed, line, expected), f"fish completes {line}", seconds=60)
    assert not (home / "run").exists()
