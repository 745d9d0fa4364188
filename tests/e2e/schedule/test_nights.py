"""A timer detects, corrects and reports drift without a user.

Each test leaves the fleet in sync. What one test does to a file, no other does: the same again would be a fight.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.history.lock import find_lock_file
from tests.e2e.schedule.controller import LOGIN, METRICS, UNIT
from tests.e2e.site import IMAGE, PULLER
from tests.lab import cri, installation
from tests.lab.cluster import exists
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.e2e.schedule.controller import Controller

pytestmark = [
    pytest.mark.needs("nodes", "apiserver"),
    pytest.mark.skipif(installation.suite() is None, reason="no Debian of the lab has this version of Python"),
]

_TIMER = ("--correct", "--metrics", METRICS, "--on-calendar", "daily")
_DROP_IN = "/etc/systemd/system/docker.service.d/docker-options.conf"
_DAEMON_JSON = "/etc/docker/daemon.json"
_KUBESPRAY = '[Service]\nEnvironment="DOCKER_OPTS=--data-root=/var/lib/docker --log-opt max-size=50m"\n'
_RESTART = "systemctl daemon-reload && systemctl restart docker"


@pytest.fixture(scope="module")
def scheduled(controller: Controller) -> Controller:
    """The controller with the fleet as wanted, and a timer that corrects it and has run once."""
    controller.apply()
    installed = controller.install(*_TIMER)
    assert installed.code == 0, installed.stderr
    assert controller.run_now() == 0, controller.said()
    return controller


def test_the_timer_makes_up_for_a_run_that_was_missed(scheduled: Controller) -> None:
    timer, before = f"{UNIT}.timer", scheduled.show()["last_run"]
    scheduled.machine.run(
        f"mkdir -p /run/systemd/system/{timer}.d; "
        f"printf '[Timer]\\nRandomizedDelaySec=0\\n' >/run/systemd/system/{timer}.d/at-once.conf; "
        f"systemctl daemon-reload; touch -d '2 days ago' /var/lib/systemd/timers/stamp-{timer}; "
        f"systemctl restart {timer}"
    )
    # While the service runs, there is no last run.
    wait_until(lambda: scheduled.show()["last_run"] not in (None, before), "the timer has run the service", seconds=90)
    shown = scheduled.show()
    assert (shown["last_run"]["exit_code"], shown["last_run"]["result"]) == (0, "success"), scheduled.said()
    assert (shown["enabled"], shown["active"], shown["user"], shown["when"]) == (True, True, "ops", "daily")
    assert shown["next_run"].endswith("T00:00:00+00:00")
    found = scheduled.metrics()
    assert (found["exit_code"], found["nodes.in_sync"]) == (0, 4)
    scheduled.machine.run(f"rm -r /run/systemd/system/{timer}.d; systemctl daemon-reload")


def test_what_others_did_is_undone_at_night_and_told(scheduled: Controller) -> None:
    by_hand, by_kubespray, stale, with_containerd = scheduled.fleet
    by_hand.run(f"echo '# by hand' >{_DROP_IN} && {_RESTART}")
    by_kubespray.run(f"cat >{_DROP_IN} && {_RESTART}", stdin=_KUBESPRAY.encode())
    content = stale.run(f"cat {_DAEMON_JSON}").stdout
    stale.run(f"echo '{{\"insecure-registries\":[]}}' >{_DAEMON_JSON} && systemctl reload docker")
    stale.run(f"cat >{_DAEMON_JSON}", stdin=content.encode())
    with_containerd.run(f"rm /etc/containerd/certs.d/{scheduled.registry.entry}/hosts.toml")

    assert scheduled.run_now() == 0, scheduled.said()

    assert [scheduled.trusts(node) for node in scheduled.fleet[:3]] == [True, True, True]
    cri.pull(with_containerd, f"{scheduled.registry.entry}/{IMAGE}", (PULLER.name, PULLER.password))
    cri.remove_image(with_containerd, f"{scheduled.registry.entry}/{IMAGE}")
    assert "max-size=50m" in by_kubespray.run(f"cat {_DROP_IN}").stdout
    found = scheduled.metrics()
    assert (found["corrections.changed"], found["nodes.in_sync"], found["nodes.drift"]) == (4, 4, 0)
    run = scheduled.agent("history", "-o", "json").document["runs"][0]
    assert (run["kind"], run["note"], run["exit_code"]) == ("correct", f"by {UNIT}.timer", 0)
    assert run["who"].startswith("ops@")
    # By a real pull: the password came from a file that ops cannot read.
    assert [node["verified"] for node in run["nodes"]] == [True] * 4


def test_secrets_are_written_at_night_where_they_were_applied(scheduled: Controller) -> None:
    api, names = scheduled.api, ["a", "b", "c", "d"]
    for name in names:
        api.create_namespace(name, "default")
    secrets = [f"/api/v1/namespaces/{name}/secrets/harbor-pull" for name in names]
    scheduled.want_secrets(names[:3], max_drifted="30%")
    applied = scheduled.agent("secret", "apply", "-c", "harbor-agent.yaml", *LOGIN, stdin=PULLER.password)
    assert applied.code == 0, applied.stderr
    # The settings of tonight have a namespace that no one has applied.
    scheduled.want_secrets(names, max_drifted="30%")
    before = [api.ask("GET", path)["data"] for path in secrets[:3]]
    api.ask("DELETE", secrets[0])
    account = "/api/v1/namespaces/b/serviceaccounts/default"
    api.ask("PATCH", account, {"imagePullSecrets": None}, kind="application/merge-patch+json")

    assert scheduled.run_now() == 3, scheduled.said()
    assert [api.ask("GET", path)["data"] for path in secrets[:3]] == before
    assert api.ask("GET", account)["imagePullSecrets"] == [{"name": "harbor-pull"}]
    assert not exists(api, secrets[3])
    found = scheduled.metrics()
    assert (found["pull_secrets.in_sync"], found["pull_secrets.pending"]) == (3, 1)
    run = scheduled.agent("history", "-o", "json").document["runs"][0]
    assert (run["kind"], run["note"]) == ("correct", f"by {UNIT}.timer")

    for path in secrets[:3]:
        api.ask("DELETE", path)
    assert not scheduled.machine.succeeds(f"systemctl start {UNIT}.service")
    assert (scheduled.exit_code(), "drift-secrets-suspect" in scheduled.said()) == (7, True), scheduled.said()
    assert [exists(api, path) for path in secrets] == [False] * 4
    scheduled.want_no_secrets()


def test_a_fight_ends_in_quarantine_and_a_reinstalled_node_is_told(scheduled: Controller) -> None:
    fought, _, renewed, _ = scheduled.fleet
    renewed.renew()
    for _ in range(2):
        fought.run(f"rm -f {_DROP_IN} && {_RESTART}")
        code = scheduled.run_now()
        renewed.wait_ready()
    assert code == 5, scheduled.said()
    found = scheduled.metrics()
    assert (found["node_quarantined.node2"], found["quarantined_nodes"], found["nodes.drift"]) == (1, 1, 1)
    assert scheduled.run_now() == 5
    assert scheduled.metrics()["nodes.unmanaged"] == 1
    assert not scheduled.trusts(fought)
    assert f"{_DROP_IN} (the file does not name it)" in scheduled.said()
    # The quarantine is in the state of ops, so ops ends it.
    assert scheduled.agent("drift", "release", "node2").code == 0
    assert scheduled.run_now() == 3
    assert scheduled.trusts(fought)
    assert scheduled.metrics()["node_status.node4.unmanaged"] == 1
    scheduled.apply()


def test_two_at_once_page_nobody(scheduled: Controller) -> None:
    node = scheduled.fleet[1]
    node.run(f"echo '# edited while the lock is held' >{_DROP_IN} && {_RESTART}")
    lock = f"/home/ops/.local/state/harbor-agent/{find_lock_file('/home/ops/cluster/inventory.ini').name}"
    scheduled.machine.run(f"systemd-run --quiet --unit=holder --uid=ops flock --no-fork {lock} sleep 1000")
    wait_until(lambda: "held" in scheduled.agent("lock", "show").stdout, "the lock is held", seconds=30)
    assert scheduled.run_now() == 75
    found = scheduled.metrics()
    assert (found["exit_code"], found["nodes.drift"]) == (75, 1)
    assert found["last_success_timestamp_seconds"] < found["last_run_timestamp_seconds"]
    scheduled.machine.run("systemctl stop holder.service")
    assert scheduled.run_now() == 0, scheduled.said()


def test_systemctl_stop_lets_the_node_in_flight_finish(scheduled: Controller) -> None:
    node = scheduled.fleet[1]
    node.run(f"echo '# edited before a stop' >{_DROP_IN} && {_RESTART}")
    scheduled.machine.run(f"systemctl start --no-block {UNIT}.service")
    under_way = "systemctl is-active --quiet harbor-agent-transaction.service"
    wait_until(lambda: node.succeeds(under_way), "the transaction has begun", seconds=60)
    scheduled.machine.run(f"systemctl stop {UNIT}.service", timeout=120)
    assert (scheduled.exit_code(), scheduled.is_failed()) == (143, False), scheduled.said()
    assert "stopping: nodes in progress finish" in scheduled.said()
    assert scheduled.trusts(node)
    run = scheduled.agent("history", "-o", "json").document["runs"][0]
    assert [(one["node"], one["outcome"]) for one in run["nodes"]] == [("node3", "changed")]


def test_an_inventory_that_shrank_to_nothing_is_heard(scheduled: Controller) -> None:
    before = scheduled.metrics()
    scheduled.write("kept.ini", scheduled.machine.run("cat ~ops/cluster/inventory.ini").stdout)
    scheduled.write("inventory.ini", "[nodes]\n")
    assert not scheduled.machine.succeeds(f"systemctl start {UNIT}.service")
    assert (scheduled.exit_code(), scheduled.is_failed()) == (2, True)
    found = scheduled.metrics()
    assert (found["exit_code"], "nodes.in_sync" in found) == (2, False)
    assert found["last_success_timestamp_seconds"] == before["last_success_timestamp_seconds"]
    assert "inventory-empty" in scheduled.said()
    scheduled.machine.run("mv ~ops/cluster/kept.ini ~ops/cluster/inventory.ini")


def test_root_and_ansible_go_through_the_same_walls_whatever_files_are_called(scheduled: Controller) -> None:
    folder, inventory, limit = "odd %n", 'the "old" %H.ini', r"~node\d$"
    quoted = shlex.quote(f"/home/ops/{folder}/{inventory}")
    scheduled.machine.run(f"mkdir {shlex.quote(f'/home/ops/{folder}')} && cp ~ops/cluster/inventory.ini {quoted}")
    # Root's runs verify host keys, and log in, as root's own would.
    scheduled.machine.run("cp ~ops/.ssh/known_hosts ~ops/.ssh/id_ed25519 ~/.ssh/")
    options = ("--user", "root", "--metrics", METRICS, "--name", "root", "--transport", "ansible", "--yes")
    named = ("-i", inventory, "--limit", limit)
    installed = scheduled.agent("schedule", "install", *named, *options, sudo=True, folder=folder)
    assert installed.code == 0, installed.stderr
    assert scheduled.run_now(f"{UNIT}-root") == 0, scheduled.said(f"{UNIT}-root")
    assert scheduled.metrics()["nodes.in_sync"] == 4
    assert scheduled.agent("schedule", "remove", "--name", "root", "--yes", sudo=True).code == 0


def test_removal_leaves_nothing_behind(scheduled: Controller) -> None:
    refused = scheduled.agent("schedule", "remove", "--name", "other", "--yes", sudo=True)
    assert (refused.code, f"installed: {UNIT}" in refused.stderr) == (2, True), refused.stderr
    assert scheduled.agent("schedule", "remove", "--yes").code == 2
    removed = scheduled.agent("schedule", "remove", "--yes", sudo=True)
    assert removed.code == 0, removed.stderr
    assert "harbor-agent" not in scheduled.units()
    assert "harbor-agent" not in scheduled.machine.run("systemctl list-units --all --no-legend 'harbor*'").stdout
    assert scheduled.agent("schedule", "show").stdout.startswith("no schedules on this machine")
    assert scheduled.agent("history", "-o", "json").document["runs"]
    assert scheduled.install(*_TIMER).code == 0
