"""Names as a part of a node's plan: for Docker and containerd alike, and without an action."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.rollout.records import build_apply_record
from harbor_agent.model.dns import DnsEntry
from harbor_agent.model.plan import Action, Plan, Refusal, Route
from harbor_agent.model.policy import DesiredState, Policy, Registry, ResolvePolicy
from harbor_agent.model.snapshot import SavedFile, Snapshot
from harbor_agent.model.state import FileState, NameService
from harbor_agent.planning.config.digest import policy_digest
from harbor_agent.planning.drift import DriftStatus, classify, hash_content
from harbor_agent.planning.node import plan_node, plan_restoration
from harbor_agent.planning.rollback import find_objection_to_rollback
from tests.unit.planning.containerd.nodes import CONFIG, READS_CERTS
from tests.unit.planning.containerd.nodes import applied as applied_containerd
from tests.unit.planning.containerd.nodes import node as containerd_node
from tests.unit.planning.containerd.nodes import running as running_containerd
from tests.unit.planning.docker.nodes import DAEMON_JSON, FRAGMENT, PLAIN_UNIT, TEMPLATES, regular, running, want
from tests.unit.planning.docker.nodes import applied as applied_docker
from tests.unit.planning.docker.nodes import node as docker_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.model.state import NodeState

HOSTS = "/etc/hosts"
FOUND = b"127.0.0.1 localhost\n"
OURS = b"# BEGIN harbor-agent\n192.168.0.99 harbor.lan\n# END harbor-agent\n"
NAME = DnsEntry(name="harbor.lan", address="192.168.0.99")
ARGV = ("/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")
READS_FILES = NameService(nsswitch=" files dns")
DESIRED = replace(want("harbor.lan"), names=(NAME,))
UNWANTED = DesiredState(absent=DESIRED.present, absent_names=frozenset({"harbor.lan"}))
POLICY = Policy(
    registries=(Registry(address=DESIRED.present[0], resolve=ResolvePolicy(address=NAME.address, nodes=True)),)
)


def with_hosts(state: NodeState, content: bytes = FOUND, service: NameService = READS_FILES) -> NodeState:
    return replace(state, files={**state.files, HOSTS: regular(HOSTS, content)}, name_service=service)


DOCKER = with_hosts(running(docker_node({FRAGMENT: PLAIN_UNIT}), ARGV))
CONTAINERD = with_hosts(running_containerd(containerd_node({CONFIG: READS_CERTS})))
RUNTIMES = [(DOCKER, applied_docker), (CONTAINERD, applied_containerd)]


def planned(state: NodeState, desired: DesiredState = DESIRED) -> Plan:
    plan = plan_node("node1", state, desired, TEMPLATES)
    assert isinstance(plan, Plan), plan
    return plan


@pytest.mark.parametrize(("state", "apply"), RUNTIMES, ids=["docker", "containerd"])
def test_the_name_comes_before_the_entry_and_goes_after_it(
    state: NodeState, apply: Callable[[NodeState, Plan], NodeState]
) -> None:
    plan = planned(state)
    assert plan.changes[0].path == HOSTS
    assert plan.changes[0].after.content == FOUND + OURS
    assert len(plan.changes) > 1
    assert plan.names == (NAME,)
    after = apply(state, plan)
    assert planned(after).is_empty
    removal = planned(after, UNWANTED)
    assert removal.changes[-1].path == HOSTS
    assert removal.changes[-1].after.content == FOUND
    assert removal.names == ()


@pytest.mark.parametrize(("state", "apply"), RUNTIMES, ids=["docker", "containerd"])
def test_a_name_alone_is_a_change_without_an_action(
    state: NodeState, apply: Callable[[NodeState, Plan], NodeState]
) -> None:
    trusted = apply(state, planned(state, want("harbor.lan")))
    plan = planned(trusted)
    assert [change.path for change in plan.changes] == [HOSTS]
    assert (plan.activation.action, plan.route) == (Action.NONE, Route.HOSTS)
    assert plan.reason == "harbor.lan gets 192.168.0.99 in /etc/hosts"
    kept = planned(with_hosts(trusted, FOUND + OURS), want("harbor.lan"))
    assert kept.is_empty, "another run is not about the name"
    assert [warning.code for warning in kept.warnings] == ["ours-no-longer-wanted"]
    forgotten = planned(
        with_hosts(trusted, FOUND + OURS), replace(want("harbor.lan"), absent_names=frozenset({"harbor.lan"}))
    )
    assert [change.after.content for change in forgotten.changes] == [FOUND]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (with_hosts(DOCKER, b"10.0.0.1 harbor.lan\n"), "hosts-entry-differs"),
        (with_hosts(DOCKER, service=NameService(nsswitch=" dns")), "hosts-not-read"),
        (with_hosts(DOCKER, service=NameService(is_mount=True)), "hosts-not-regular"),
        (with_hosts(DOCKER, service=NameService(cloud_init=(("/x", "manage_etc_hosts: true"),))), "hosts-managed"),
    ],
)
def test_a_node_is_refused_whose_file_would_not_give_the_name(state: NodeState, code: str) -> None:
    refusal = plan_node("node1", state, DESIRED, TEMPLATES)
    assert isinstance(refusal, Refusal)
    assert refusal.problem.code == code
    assert refusal.problem.hint
    assert refusal.changes == (), "no consent would make a change"


def test_another_answer_of_today_is_named_before_it_changes() -> None:
    service = replace(READS_FILES, resolved={"harbor.lan": ("10.0.0.5",)})
    (warning,) = [one for one in planned(with_hosts(DOCKER, service=service)).warnings if "resolves" in one.code]
    assert warning.code == "name-resolves-elsewhere"
    assert "10.0.0.5" in warning.message
    again = with_hosts(DOCKER, FOUND + OURS, replace(service, resolved={"harbor.lan": ("192.168.0.99",)}))
    assert not [one for one in planned(again).warnings if "resolves" in one.code]


def test_a_file_that_this_tool_created_goes_with_the_last_name() -> None:
    bare = replace(DOCKER, files={**DOCKER.files, HOSTS: FileState(path=HOSTS)})
    plan = planned(bare)
    assert plan.changes[0].after == regular(HOSTS, OURS)
    assert HOSTS in plan.created_files
    record = build_apply_record(plan, POLICY, bare, "run-1", "")
    after = replace(applied_docker(bare, plan), records={"docker": record})
    assert planned(after, UNWANTED).changes[-1].after == FileState(path=HOSTS)


def recorded(state: NodeState) -> NodeState:
    """The node after an apply, with its record."""
    plan = planned(state)
    record = build_apply_record(plan, POLICY, state, "run-1", "")
    return replace(applied_docker(state, plan), records={"docker": record})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (FOUND, "the block in /etc/hosts is missing"),
        (FOUND + OURS.replace(b".99", b".98"), "the block in /etc/hosts was edited"),
        (FOUND + OURS + b"10.0.0.1 harbor.lan\n", "the block in /etc/hosts was edited"),
        (FOUND + OURS + b"10.0.0.1 node2\n", ""),
    ],
)
def test_the_block_is_compared_and_lines_of_others_are_not(content: bytes, reason: str) -> None:
    drift = classify(with_hosts(recorded(DOCKER), content), policy_digest(POLICY))
    assert drift.status is (DriftStatus.DRIFT if reason else DriftStatus.IN_SYNC), drift.reason
    if reason:
        assert drift.reason == reason


def test_a_request_for_another_address_is_pending() -> None:
    other = replace(POLICY.registries[0], resolve=ResolvePolicy(address="192.168.0.98", nodes=True))
    drift = classify(recorded(DOCKER), policy_digest(Policy(registries=(other,))))
    assert drift.status is DriftStatus.PENDING


def test_a_rollback_restores_the_block_without_an_action_and_keeps_other_lines() -> None:
    trusted = applied_docker(DOCKER, planned(DOCKER, want("harbor.lan")))
    after = recorded(trusted)
    saved = SavedFile(path=HOSTS, state=trusted.files[HOSTS], written=after.files[HOSTS].fingerprint)
    snapshot = Snapshot(transaction="run-1", runtime="docker", files=(saved,))
    plan = plan_restoration("node1", after, snapshot, "restore")
    assert isinstance(plan, Plan), plan
    assert [(change.path, change.after.content) for change in plan.changes] == [(HOSTS, FOUND)]
    assert plan.activation.action is Action.NONE
    grown = with_hosts(after, FOUND + OURS + b"10.0.0.2 node2\n")
    digests = {HOSTS: hash_content(after.files[HOSTS])}
    assert find_objection_to_rollback(grown, snapshot.files, digests) is None
    plan = plan_restoration("node1", grown, snapshot, "restore")
    assert isinstance(plan, Plan), plan
    assert plan.changes[0].after.content == FOUND + b"10.0.0.2 node2\n"
    edited = with_hosts(after, FOUND + OURS.replace(b".99", b".98"))
    objection = find_objection_to_rollback(edited, snapshot.files, digests)
    assert objection is not None
    assert objection.code == "rollback-edited"


def test_daemon_json_and_the_name_are_one_transaction() -> None:
    state = with_hosts(running(docker_node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: '{"insecure-registries": []}'}), ARGV))
    plan = planned(state)
    assert [change.path for change in plan.changes] == [HOSTS, DAEMON_JSON]
    assert plan.route is Route.DAEMON_JSON
    assert plan.reason.startswith("harbor.lan gets 192.168.0.99 in /etc/hosts; ")
