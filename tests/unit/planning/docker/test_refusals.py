"""Docker nodes that are refused, each with code, file and line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harbor_agent.model.daemon import UnitState
from harbor_agent.model.runtimes.docker import DockerState
from harbor_agent.model.state import FileKind, FileState, InstalledRuntime, NodeState, System
from tests.unit.planning.docker.nodes import (
    DAEMON_JSON,
    DEBIAN_UNIT,
    FRAGMENT,
    OPTIONS,
    PLAIN_UNIT,
    UNIT,
    node,
    symlink,
)
from tests.unit.planning.docker.plans import refusal


def with_file(state: NodeState, file: FileState) -> NodeState:
    return replace(state, files={**state.files, file.path: file})


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (
            NodeState(system=System(init="systemd"), runtimes=(InstalledRuntime(name="containerd"),)),
            "docker-absent",
            "containerd",
        ),
        (
            NodeState(system=System(init="init"), runtimes=(DockerState(unit=UnitState(name=UNIT)),)),
            "no-systemd",
            "init",
        ),
        (node({}), "unit-missing", "docker.service"),
        (node({FRAGMENT: ""}), "unit-masked", FRAGMENT),
        (node({FRAGMENT: "[Service]\nExecStart=/a\nExecStart=/b\n"}), "unit-invalid", FRAGMENT),
        (node({FRAGMENT: "[Service]\n"}), "unit-invalid", "no ExecStart="),
        (node({FRAGMENT: DEBIAN_UNIT, OPTIONS: "[Service\n"}), "file-invalid", f"{OPTIONS} line 1"),
        (node({FRAGMENT: DEBIAN_UNIT, OPTIONS: b"[Service]\n\0"}), "file-invalid", f"{OPTIONS} line 2"),
        (
            node({FRAGMENT: DEBIAN_UNIT, OPTIONS: "[Service]\n# ours\nEnvironment=DOCKER_OPTS=--mtu=1\\x20\n"}),
            "file-invalid",
            f"{OPTIONS} line 3: cannot extend the value",
        ),
        (node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: "{\n]"}), "file-invalid", f"{DAEMON_JSON} line 2"),
        (node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: "{" + " " * (1 << 20) + "}"}), "file-too-large", DAEMON_JSON),
        (node({FRAGMENT: DEBIAN_UNIT.replace("File=-", "File=")}), "environment-file-missing", "/etc/default/docker"),
        (node({FRAGMENT: DEBIAN_UNIT, DAEMON_JSON: '{\n"hosts": []}'}), "configuration-conflict", "line 2: 'hosts'"),
        (node({FRAGMENT: DEBIAN_UNIT, "/etc/default/docker": "DOCKER_OPTS=x\n"}), "arguments-invalid", "'x'"),
        (node({FRAGMENT: DEBIAN_UNIT, DAEMON_JSON: ""}), "config-blank", DAEMON_JSON),
        (
            node({FRAGMENT: PLAIN_UNIT + "ExecStart=\nExecStart=/usr/bin/dockerd --config-file=/etc/x\n"}, "1.10.3"),
            "config-missing",
            "/etc/x",
        ),
        (replace(node({FRAGMENT: PLAIN_UNIT}), pending_transaction="t-7"), "transaction-pending", "t-7"),
        (with_file(node({FRAGMENT: PLAIN_UNIT}), symlink(DAEMON_JSON, "/srv/d.json", b"{}")), "file-symlinked", "/srv"),
        (with_file(node({FRAGMENT: PLAIN_UNIT}), symlink(DAEMON_JSON, "/gone")), "file-symlinked", "/gone"),
        (
            with_file(node({FRAGMENT: PLAIN_UNIT}), FileState(path=DAEMON_JSON, kind=FileKind.DIRECTORY)),
            "file-not-regular",
            DAEMON_JSON,
        ),
        (
            with_file(node({FRAGMENT: PLAIN_UNIT}), FileState(path=DAEMON_JSON, kind=FileKind.UNREADABLE)),
            "file-unreadable",
            DAEMON_JSON,
        ),
        (
            with_file(node({FRAGMENT: DEBIAN_UNIT}), FileState(path=OPTIONS, kind=FileKind.UNREADABLE)),
            "file-unreadable",
            OPTIONS,
        ),
        (
            with_file(node({FRAGMENT: PLAIN_UNIT}), FileState(path=DAEMON_JSON, kind=FileKind.TOO_LARGE)),
            "file-too-large",
            f"{DAEMON_JSON} is larger than 1 MiB",
        ),
    ],
)
def test_refused_with_code_and_place(state: NodeState, code: str, words: str) -> None:
    problem = refusal(state).problem
    assert (problem.code, words in problem.message) == (code, True), problem
    assert problem.hint


def test_what_a_transaction_that_was_broken_off_needs_is_said_in_full() -> None:
    problem = refusal(replace(node({FRAGMENT: PLAIN_UNIT}), pending_transaction="t-7")).problem
    assert "sh /var/lib/harbor-agent/transactions/t-7/transaction.sh rollback t-7" in problem.hint
    assert "explain transaction-pending" in problem.hint


def test_a_variable_that_an_unknown_specifier_kills_is_refused_with_its_line() -> None:
    state = node({FRAGMENT: DEBIAN_UNIT, OPTIONS: '[Service]\nEnvironment="DOCKER_OPTS=--label=%x"\n'})
    problem = refusal(state).problem
    assert problem.code == "assignment-broken"
    assert f"{OPTIONS} line 2: unknown specifier '%x'" in problem.message


def test_masked_by_systemd_is_refused() -> None:
    state = node({FRAGMENT: PLAIN_UNIT})
    docker = DockerState(unit=UnitState(name=UNIT, load_state="masked"))
    assert refusal(replace(state, runtimes=(docker,))).problem.code == "unit-masked"
