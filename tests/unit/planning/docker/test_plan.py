"""Planning a Docker node: the cheapest action, removal, warnings and refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harbor_agent.errors import Problem
from harbor_agent.model.plan import Action, Plan, Refusal
from harbor_agent.model.runtimes.docker import LiveRegistryConfig
from harbor_agent.model.state import Reachability
from harbor_agent.planning.node import plan_node
from tests.unit.planning.docker.nodes import (
    CONTAINER,
    DAEMON_JSON,
    DEBIAN_UNIT,
    FRAGMENT,
    HARBOR,
    OPTIONS,
    PLAIN_UNIT,
    TEMPLATES,
    docker_of,
    node,
    regular,
    running,
    stopped,
    want,
    with_docker,
)
from tests.unit.planning.docker.plans import DEBIAN_ARGV, FLAG, after, codes, plan, refusal


def test_several_registries_are_one_change_and_one_restart() -> None:
    decision = plan(running(node({FRAGMENT: DEBIAN_UNIT}), DEBIAN_ARGV), want("a.lan", "b.lan:5000"))
    assert after(decision, OPTIONS) == (
        '[Service]\nEnvironment="DOCKER_OPTS=--insecure-registry=a.lan --insecure-registry=b.lan:5000"\n'
    )
    assert decision.activation.action is Action.RESTART
    assert decision.activation.expected == decision.owned_entries == ("a.lan", "b.lan:5000")
    assert decision.created_files == (OPTIONS,)
    assert decision.activation.stops == (CONTAINER,)
    assert decision.changes[0].after.mode == 0o644


@pytest.mark.parametrize(
    ("version", "mirror", "starts"),
    [
        ("20.10.24", "http://m.lan", True),
        ("20.10.24", "HTTP://m.lan:5000/", True),
        ("20.10.24", "https://[::1]:5000", True),
        ("20.10.24", "http://m.lan/hub", False),
        ("24.0.7", "http://m.lan/hub", False),
        ("24.0.8", "http://m.lan/hub", True),
        ("26.1.5", "http://m.lan?x", False),
        ("26.1.5", "http://m.lan#x", False),
        ("26.1.5", "m.lan:5000", False),
        ("26.1.5", "", False),
        ("26.1.5", " http://m.lan", False),
        ("26.1.5", "https://m.lan:x", False),
        ("26.1.5", "http://joe:s3cret@m.lan", False),
    ],
)
def test_a_mirror_that_dockerd_does_not_start_with_is_refused(version: str, mirror: str, *, starts: bool) -> None:
    """Before 23.0 a reload takes the rest of such a file, so no answer of the daemon would show it."""
    state = node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: f'{{\n  "registry-mirrors": ["{mirror}"]\n}}'}, version)
    decision = plan_node("n", state, want(HARBOR), TEMPLATES)
    if starts:
        assert isinstance(decision, Plan), decision.problem
        return
    assert isinstance(decision, Refusal)
    assert decision.problem.code == "mirror-invalid"
    assert f"{DAEMON_JSON} line 2" in decision.problem.message
    assert "s3cret" not in str(decision.problem)


def test_edits_keep_mode_and_owner() -> None:
    state = node({FRAGMENT: PLAIN_UNIT})
    own = replace(regular(DAEMON_JSON, '{"debug": true}'), mode=0o600, uid=7, gid=8)
    state = replace(state, files={**state.files, DAEMON_JSON: own})
    (change,) = plan(state).changes
    assert (change.after.mode, change.after.uid, change.after.gid) == (0o600, 7, 8)


def test_docker_hub_and_https_change_no_node() -> None:
    decision = plan(node({FRAGMENT: PLAIN_UNIT}), want("docker.io", "https://harbor.lan"))
    assert decision.is_empty


def test_loopback_is_trusted_by_docker_itself() -> None:
    assert "127.0.0.0/8" in plan(node({FRAGMENT: PLAIN_UNIT}), want("127.0.0.1:5000")).reason


def test_a_range_covers_a_name_by_the_addresses_the_node_resolved() -> None:
    state = node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: '{"insecure-registries": ["10.0.0.0/8"]}'})
    assert not plan(state, want("harbor.lan")).is_empty
    seen = Reachability(entry="harbor.lan", resolved=("10.1.2.3",), http_status=401)
    decision = plan(replace(state, reachability=(seen,)), want("harbor.lan"))
    assert decision.is_empty
    assert "10.0.0.0/8" in decision.reason
    assert decision.activation.expected == ("10.0.0.0/8",)


def test_an_entry_with_a_scheme_matches_since_17_04_only() -> None:
    contents = {FRAGMENT: PLAIN_UNIT, DAEMON_JSON: f'{{"insecure-registries": ["http://{HARBOR}"]}}'}
    assert plan(node(contents, "20.10.24")).is_empty
    old = plan(node(contents, "17.03.2"))
    assert not old.is_empty
    assert "entry-does-not-match" in codes(old)


@pytest.mark.parametrize(
    ("version", "mirrors", "action"),
    [
        ("1.12.6", "", Action.RESTART),
        ("1.13.0", "", Action.RELOAD),
        ("20.10.24+dfsg1", '"registry-mirrors": ["https://m"], ', Action.RELOAD),
        ("23.0.3", "", Action.RELOAD),
        ("23.0.3", '"registry-mirrors": ["https://m"], ', Action.RESTART),
        ("23.0.7", '"registry-mirrors": ["https://m"], ', Action.RELOAD),
        ("24.0.0", '"registry-mirrors": ["https://m"], ', Action.RESTART),
        ("24.0.1", '"registry-mirrors": ["https://m"], ', Action.RELOAD),
        ("", "", Action.RELOAD),
    ],
)
def test_reload_where_this_docker_takes_the_list_by_it(version: str, mirrors: str, action: Action) -> None:
    state = node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: f'{{{mirrors}"debug": false}}'}, version)
    assert plan(running(state, DEBIAN_ARGV)).activation.action is action


def test_a_change_on_a_daemon_that_does_not_run_is_shown_and_refused() -> None:
    """The node refuses it just so: only a daemon that runs can show what a change did."""
    state = stopped(node({FRAGMENT: PLAIN_UNIT}))
    shown = refusal(state)
    assert shown.problem.code == "docker-not-running"
    assert "systemctl start docker.service" in shown.problem.hint
    assert [change.path for change in shown.changes] == [DAEMON_JSON]
    assert not shown.warnings
    assert plan(replace(state, offline=True)).changes == shown.changes


def test_a_repair_of_a_daemon_that_does_not_run_is_not_offered() -> None:
    state = stopped(node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: '{"insecure-registries": "a"}'}))
    for repair in (False, True):
        shown = refusal(state, want(HARBOR, repair=repair))
        assert (shown.problem.code, len(shown.changes)) == ("docker-not-running", 1)


def test_where_nothing_is_to_be_done_a_stopped_daemon_is_a_note() -> None:
    decision = plan(stopped(node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: f'{{"insecure-registries": ["{HARBOR}"]}}'})))
    assert decision.is_empty
    assert codes(decision) == ["docker-not-running"]


def test_files_right_and_daemon_old_needs_no_change_but_an_action() -> None:
    json_node = node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: f'{{"insecure-registries": ["{HARBOR}"]}}'})
    decision = plan(running(json_node, DEBIAN_ARGV))
    assert (decision.changes, decision.activation.action) == ((), Action.RELOAD)
    assert not decision.is_empty
    flag_node = node({FRAGMENT: DEBIAN_UNIT, OPTIONS: f'[Service]\nEnvironment="DOCKER_OPTS={FLAG}"\n'})
    decision = plan(running(flag_node, DEBIAN_ARGV))
    assert (decision.changes, decision.activation.action) == ((), Action.RESTART)
    assert "arguments-pending" in codes(decision)


def test_a_lost_file_under_a_daemon_that_still_has_the_flag_is_written_without_a_restart() -> None:
    decision = plan(running(node({FRAGMENT: DEBIAN_UNIT}), (*DEBIAN_ARGV, FLAG), (HARBOR,)))
    assert decision.activation.action is Action.NONE
    assert after(decision, OPTIONS)


def test_a_flag_of_the_running_daemon_makes_the_key_a_matter_of_a_restart() -> None:
    state = running(node({FRAGMENT: PLAIN_UNIT}), (*DEBIAN_ARGV, "--insecure-registry=old.lan"), ("old.lan",))
    assert plan(state).activation.action is Action.RESTART


def test_passwords_that_files_and_arguments_hold_are_not_told() -> None:
    secret = "http://joe:s3cret@"
    argv = " ".join((*DEBIAN_ARGV, f"--registry-mirror={secret}m.lan"))
    unit = PLAIN_UNIT + f"Environment=A=1 {secret}m.lan\nExecStart=\nExecStart={argv}\n"
    decision = plan(running(node({FRAGMENT: unit}), DEBIAN_ARGV))
    assert codes(decision) == ["line-skipped", "arguments-pending"]
    assert all(warning.hint for warning in decision.warnings)
    assert "s3cret" not in "".join(map(str, decision.warnings))
    told = refusal(node({FRAGMENT: DEBIAN_UNIT, "/etc/default/docker": f"DOCKER_OPTS={secret}m.lan\n"})).problem
    assert (told.code, "s3cret" in str(told)) == ("arguments-invalid", False)


def test_pending_daemon_reload_is_told() -> None:
    state = running(node({FRAGMENT: PLAIN_UNIT}), DEBIAN_ARGV)
    unit = replace(docker_of(state).unit, need_daemon_reload=True, drop_in_paths=("/run/x/docker.service.d/9.conf",))
    decision = plan(with_docker(state, unit=unit))
    assert {"daemon-reload-pending", "drop-in-unseen"} <= set(codes(decision))


def test_a_wrong_type_is_mended_with_consent_only() -> None:
    state = running(
        node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: '{"insecure-registries": "a", "debug": true}'}), DEBIAN_ARGV
    )
    shown = refusal(state)
    assert shown.problem.code == "needs-repair"
    mended = '{"insecure-registries": ["a", "192.168.0.99"], "debug": true}'
    assert [change.after.content for change in shown.changes] == [mended.encode()]
    assert after(plan(state, want(HARBOR, repair=True)), DAEMON_JSON) == mended


def test_a_byte_order_mark_goes_only_where_docker_does_not_bear_it() -> None:
    contents = {FRAGMENT: PLAIN_UNIT, DAEMON_JSON: b'\xef\xbb\xbf{"debug": true}'}
    assert not str(after(plan(node(contents, "20.10.24")), DAEMON_JSON)).startswith("\ufeff")
    assert str(after(plan(node(contents, "25.0.0")), DAEMON_JSON)).startswith("\ufeff")


def test_what_is_there_already_is_unchanged_though_somebody_elses_conflict_waits() -> None:
    state = node(
        {FRAGMENT: DEBIAN_UNIT, OPTIONS: f'[Service]\nEnvironment="DOCKER_OPTS={FLAG}"\n', DAEMON_JSON: '{"hosts": []}'}
    )
    decision = plan(running(state, (*DEBIAN_ARGV, FLAG), (HARBOR,)))
    assert decision.is_empty
    assert "configuration-conflict" in codes(decision)


def test_without_a_live_list_the_files_decide() -> None:
    state = running(node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: f'{{"insecure-registries": ["{HARBOR}"]}}'}), DEBIAN_ARGV)
    assert plan(with_docker(state, live=None)).is_empty


def test_live_ranges_count() -> None:
    state = running(
        node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: '{"insecure-registries": ["192.168.0.0/16"]}'}), DEBIAN_ARGV
    )
    live = LiveRegistryConfig(insecure_cidrs=("192.168.0.0/16",))
    assert plan(with_docker(state, live=live)).is_empty


def test_unreadable_facts_do_not_stop_what_they_do_not_concern() -> None:
    unreadable = (Problem(code="file-unreadable", message="/var/lib/x cannot be read"),)
    assert plan(replace(node({FRAGMENT: PLAIN_UNIT}), unreadable=unreadable)).changes


def test_behind_a_launcher_the_running_process_says_which_file_it_reads() -> None:
    unit = "[Service]\nExecStart=/usr/bin/snap run docker.dockerd\n"
    file = "/var/snap/docker/2893/config/daemon.json"
    argv = ("dockerd", "--group", "docker", f"--config-file={file}")
    state = node({"/etc/systemd/system/snap.docker.dockerd.service": unit, file: '{"log-level": "error"}'})
    plan = plan_node("node-1", running(state, argv), want(HARBOR), TEMPLATES)
    assert isinstance(plan, Plan)
    assert (plan.activation.unit, plan.activation.action) == ("snap.docker.dockerd.service", Action.RELOAD)
    assert [change.path for change in plan.changes] == [file]
    assert plan.activation.arguments == argv
    assert not plan.warnings


def test_the_shim_of_kubernetes_is_no_docker() -> None:
    shim = "[Service]\nExecStart=/usr/bin/cri-dockerd --container-runtime-endpoint fd://\n"
    refusal = plan_node("node-1", node({"/usr/lib/systemd/system/cri-docker.service": shim}), want(HARBOR), TEMPLATES)
    assert isinstance(refusal, Refusal)
    assert refusal.problem.code == "unit-missing"
