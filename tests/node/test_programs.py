"""What holds for every program that runs on a node."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import harbor_agent.node
from harbor_agent.model.address import Address
from harbor_agent.model.plan import Action, FileChange, Plan
from harbor_agent.model.policy import Credentials
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.node.wire import programs as wire
from harbor_agent.node.wire.runtimes import RUNTIMES
from tests.node.transactions import activation

_FOLDER = Path(harbor_agent.node.__file__).parent
_PLAN = Plan(
    node="node1",
    reason="a test",
    changes=(
        FileChange(
            before=FileState(path="/etc/docker/daemon.json"),
            after=FileState(path="/etc/docker/daemon.json", kind=FileKind.REGULAR, content=b"{}", mode=0o644),
            reason="a test",
        ),
    ),
    activation=activation(Action.RELOAD),
)
_CONTAINERD_PLAN = replace(_PLAN, activation=replace(_PLAN.activation, runtime="containerd", action=Action.RESTART))
_K3S_PLAN = replace(_PLAN, activation=replace(_PLAN.activation, runtime="k3s", action=Action.RESTART))
_LOGIN = Credentials(username="u", password=Sensitive("hunter2"))
_LOGIN_PROGRAM = wire.build_login_program("docker", Address(host="h"), _LOGIN)
assert _LOGIN_PROGRAM
_PROGRAMS = {
    "probe": wire.build_probe_program(["10.99.0.1:5000"]),
    "begin": wire.build_begin_program(_PLAN, transaction="run-1", record=b"{}", deadline=5),
    "begin-containerd": wire.build_begin_program(_CONTAINERD_PLAN, transaction="run-1", record=b"{}", deadline=5),
    "begin-k3s": wire.build_begin_program(_K3S_PLAN, transaction="run-1", record=b"{}", deadline=5),
    "login": _LOGIN_PROGRAM,
    "pull": wire.build_pull_program("docker", "h/p:1", _LOGIN, "h"),
}


def test_every_runtime_has_the_functions_that_a_transaction_calls() -> None:
    text = (_FOLDER / "programs/transaction.sh").read_text(encoding="utf-8")
    names = re.findall(r"^#   ([a-z_]+)  ", text.partition("the part of the runtime")[2], re.MULTILINE)
    assert len(names) > 15
    for runtime, parts in RUNTIMES.items():
        texts = "".join((_FOLDER / "programs" / part).read_text(encoding="utf-8") for part in parts.transaction)
        assert [name for name in names if f"\n{name}() {{" not in texts] == [], runtime


@pytest.mark.needs("shellcheck")
@pytest.mark.parametrize("name", sorted(str(path.relative_to(_FOLDER)) for path in _FOLDER.rglob("*.sh")))
def test_shellcheck_finds_nothing(name: str) -> None:
    found = subprocess.run(["shellcheck", _FOLDER / name], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.needs("shellcheck")
@pytest.mark.parametrize("name", ["begin", "begin-containerd", "begin-k3s"])
def test_shellcheck_finds_nothing_in_the_transaction_as_a_node_keeps_it(name: str) -> None:
    """The parts are excused from SC2034 and SC2154, since their variables come from each other; the whole is not."""
    kept = re.search(rb"PAYLOAD_PROGRAM='([^']*)'", _PROGRAMS[name].stdin)
    assert kept
    text = base64.b64decode(kept[1]).decode()
    text = "#!/bin/sh\n" + "\n".join(line for line in text.splitlines() if not line.startswith("# shellcheck shell=sh"))
    found = subprocess.run(
        ["shellcheck", "--exclude=SC2015", "-"], input=text, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("name", sorted(_PROGRAMS))
def test_a_truncated_program_does_nothing(name: str, shell: str, tmp_path: Path) -> None:
    """Every tool that it could start would leave a trace: the only PATH is a folder of tracers."""
    text = _PROGRAMS[name].stdin
    tools = tmp_path / "tools"
    tools.mkdir()
    trace = tmp_path / "trace"
    for tool in ("id", "mkdir", "cat", "sed", "mktemp", "rm", "base64", "systemctl", "systemd-run", "docker", "env"):
        (tools / tool).write_text(f"#!/bin/dash\necho {tool} >>{trace}\n")
        (tools / tool).chmod(0o755)
    command = [
        shutil.which(shell.split(maxsplit=1)[0]) or shell,
        *shell.split()[1:],
        "-s",
        "--",
        *_PROGRAMS[name].arguments,
    ]
    last = len(text) - len(b'main "$@"\n')
    for length in (*range(0, last, len(text) // 60), *range(last - 20, last + 4)):
        subprocess.run(
            command, input=text[:length], env={"PATH": str(tools)}, capture_output=True, check=False, timeout=10
        )
        assert not trace.exists(), f"cut after {length} bytes it ran {trace.read_text()}"


def test_nothing_secret_is_in_arguments_or_representations() -> None:
    program = _PROGRAMS["pull"]
    assert "hunter2" not in " ".join(program.arguments)
    assert "hunter2" not in repr(program)
    assert b"<<" not in b"\n".join(p.stdin for p in _PROGRAMS.values()), "bash would write it to a file"


def test_nothing_is_written_below_tmp() -> None:
    for path in _FOLDER.rglob("*.sh"):
        assert "/tmp" not in path.read_text().replace("tmpfs", "")
