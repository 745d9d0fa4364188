"""What a plan takes for nothing else and edits not in vain; what it expects of dockerd, and shows of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.address import Address
from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.model.policy import DesiredState
from harbor_agent.model.runtimes.docker import LiveRegistryConfig
from harbor_agent.planning.node import plan_node
from tests.unit.planning.docker.nodes import (
    DAEMON_JSON,
    FRAGMENT,
    HARBOR,
    PLAIN_UNIT,
    TEMPLATES,
    node,
    running,
    want,
    with_docker,
)

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

DEBIAN_ARGV = ("/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")


def plan(state: NodeState) -> Plan | Refusal:
    return plan_node("node-1", state, want(HARBOR), TEMPLATES)


@pytest.mark.parametrize(
    "command",
    [
        "/bin/sh -c 'rm -f /var/run/docker.pid; exec dockerd --insecure-registry=old.lan'",
        "/opt/bin/start-docker.sh --debug",
        "/usr/bin/dockerd-rootless.sh",
        "/opt/bin/dockerd-wrapper --debug",
    ],
)
def test_what_only_starts_dockerd_is_not_taken_for_it(command: str) -> None:
    decision = plan(running(node({FRAGMENT: PLAIN_UNIT + f"ExecStart=\nExecStart={command}\n"}), DEBIAN_ARGV))
    assert isinstance(decision, Refusal)
    assert decision.problem.code == "unit-invalid"
    assert "instead of dockerd" in decision.problem.message


def test_a_range_is_expected_as_dockerd_lists_it() -> None:
    config = '{"insecure-registries": ["192.168.0.99/16", "http://10.0.0.9"]}'
    state = running(node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: config}), DEBIAN_ARGV)
    stale = with_docker(state, live=LiveRegistryConfig())
    wanted = want("192.168.0.99", "10.0.0.9", "harbor.lan")
    decision = plan_node("n", stale, wanted, TEMPLATES)
    assert isinstance(decision, Plan)
    assert set(decision.activation.expected) == {"192.168.0.0/16", "10.0.0.9", "harbor.lan"}


@pytest.mark.parametrize("path", ["/etc/docker//daemon.json", "/etc/docker/../docker/daemon.json", "/daemon.json"])
def test_a_path_that_no_transaction_can_be_told_of_is_refused_with_it(path: str) -> None:
    unit = PLAIN_UNIT + f"ExecStart=\nExecStart=/usr/bin/dockerd --config-file={path}\n"
    decision = plan(running(node({FRAGMENT: unit, path: "{}"}), ("/usr/bin/dockerd", f"--config-file={path}")))
    assert isinstance(decision, Refusal)
    assert (decision.problem.code, path in decision.problem.message) == ("file-invalid", True)


def test_a_registry_is_taken_out_by_its_https_url_too() -> None:
    state = running(node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: f'{{"insecure-registries": ["{HARBOR}"]}}'}), DEBIAN_ARGV)
    wanted = DesiredState(absent=(Address.parse(f"https://{HARBOR}"),))
    decision = plan_node("n", state, wanted, TEMPLATES)
    assert isinstance(decision, Plan)
    assert [change.path for change in decision.changes] == [DAEMON_JSON]
    assert decision.activation.unexpected == (HARBOR,)


def test_what_is_made_anew_at_each_boot_is_not_edited_to_take_an_entry_out() -> None:
    made = "/run/systemd/system/docker.service.d/x.conf"
    unit = "[Service]\nExecStart=/usr/bin/dockerd $DOCKER_OPTS\n"
    drop_in = f'[Service]\nEnvironment="DOCKER_OPTS=--insecure-registry={HARBOR}"\n'
    state = running(node({FRAGMENT: unit, made: drop_in}), ("/usr/bin/dockerd", f"--insecure-registry={HARBOR}"))
    decision = plan_node("n", state, DesiredState(absent=(Address.parse(HARBOR),)), TEMPLATES)
    assert isinstance(decision, Refusal)
    assert decision.problem.code == "removal-unclear"
    assert made in decision.problem.message


def test_warnings_show_neither_tokens_nor_what_steers_a_terminal() -> None:
    line = "Environment=DOCKER_OPTS=--log-driver=splunk --log-opt splunk-token=SECRETTOKEN \x1b]0;owned\x07\n"
    decision = plan(running(node({FRAGMENT: PLAIN_UNIT + line}), DEBIAN_ARGV))
    said = " ".join(note.message for note in decision.warnings)
    assert "splunk-token=***" in said
    assert "SECRETTOKEN" not in said
    assert "\x1b" not in said
