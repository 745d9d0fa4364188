"""A controller with a timer: drift on nodes is detected, corrected and reported without a user."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

from harbor_agent.engine.history.lock import find_lock_file
from tests.e2e.site import IMAGE, PULLER, Ended
from tests.lab import cri, installation
from tests.lab.apiserver import running_apiserver
from tests.lab.cluster import exists
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.apiserver import RunningApiServer
    from tests.lab.node import LabNode
    from tests.lab.registry import RunningRegistry

pytestmark = [
    pytest.mark.needs("nodes", "apiserver"),
    pytest.mark.skipif(installation.suite() is None, reason="no Debian of the lab has this version of Python"),
]

_SCHEMAS = Path(__file__).resolve().parents[2] / "docs/schemas"
_UNIT = "harbor-agent-drift"
_METRICS = "/var/lib/metrics/site.prom"
_DROP_IN = "/etc/systemd/system/docker.service.d/docker-options.conf"
_DAEMON_JSON = "/etc/docker/daemon.json"
_KUBESPRAY = '[Service]\nEnvironment="DOCKER_OPTS=--data-root=/var/lib/docker --log-opt max-size=50m"\n'
_LOGIN = ("--username", PULLER.name, "--password-stdin")
_RESTART = "systemctl daemon-reload && systemctl restart docker"


class Controller:
    """The first node: harbor-agent is installed there, `ops` uses it in ~/cluster, and the others are its fleet."""

    def __init__(self, lab: Lab, registry: RunningRegistry, api: RunningApiServer) -> None:
        self.machine, *fleet = lab.nodes
        self.fleet = tuple(fleet)
        self.registry = registry
        self.api = api
        self._as_ops("umask 077; cat >.ssh/id_ed25519", lab.private_key.read_bytes())
        self._as_ops("cat >.ssh/known_hosts", lab.known_hosts.read_bytes())
        hosts = "".join(f"{node.name} ansible_host={node.address}\n" for node in self.fleet)
        self.write("inventory.ini", f"{hosts}[all:vars]\nansible_user=ops\nansible_become=true\n")
        self.write("harbor-agent.yaml", json.dumps(self._settings()))
        # ops cannot read it; the service gets it all the same.
        self.machine.run("umask 077; cat >/etc/harbor-password", stdin=PULLER.password.encode())
        self.machine.run(f"install -d -o ops {Path(_METRICS).parent}")

    def _settings(self) -> dict[str, object]:
        credentials = {"username": PULLER.name, "password_file": "/etc/harbor-password"}
        registry = {"address": self.registry.entry, "verify_image": IMAGE, "credentials": credentials}
        return {"registries": [registry], "rollout": {"batch": 3}, "drift": {"max_drifted": "100%", "max_nodes": 4}}

    def want_secrets(self, namespaces: list[str], *, max_drifted: str) -> None:
        """Write the settings with a pull secret in these namespaces."""
        settings: dict[str, Any] = self._settings()
        settings["registries"][0]["secret"] = {"namespaces": namespaces, "service_accounts": ["default"]}
        settings["kubeconfig"] = "/home/ops/kubeconfig"
        settings["drift"]["max_drifted"] = max_drifted
        self.write("../kubeconfig", self.api.kubeconfig().read_text())
        self.write("harbor-agent.yaml", json.dumps(settings))

    def want_no_secrets(self) -> None:
        """Write the settings as they were at first."""
        self.write("harbor-agent.yaml", json.dumps(self._settings()))

    def _as_ops(self, command: str, stdin: bytes = b"") -> None:
        self.machine.run(command, stdin=stdin, user="ops")

    def write(self, name: str, text: str) -> None:
        self._as_ops(f"mkdir -p cluster && cat >cluster/{name}", text.encode())

    def agent(self, *arguments: str, sudo: bool = False, stdin: str = "", folder: str = "cluster") -> Ended:
        """Run it as ops would, in a folder of ops's home."""
        command = f"cd {shlex.quote(folder)} && {'sudo ' if sudo else ''}{installation.PROGRAM} {shlex.join(arguments)}"
        done = self.machine.run(command, check=False, timeout=120, user="ops", stdin=stdin.encode())
        return Ended(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def install(self, *further: str, inventory: str = "inventory.ini") -> Ended:
        return self.agent("schedule", "install", "-i", inventory, *further, "--yes", sudo=True)

    def show(self, unit: str = _UNIT) -> dict[str, Any]:
        document = self.agent("schedule", "show", "-o", "json").document
        schema = json.loads((_SCHEMAS / "schedules-2.json").read_text(encoding="utf-8"))
        Draft202012Validator(schema).validate(document)
        (found,) = [one for one in document["schedules"] if one["unit"] == unit]
        return dict(found)

    def run_now(self, unit: str = _UNIT) -> int:
        """Have systemd run the service as the timer does; returns its exit code. It must not count as failed then."""
        started = self.machine.run(f"systemctl start {unit}.service", check=False, timeout=120)
        assert started.returncode == 0, self.said(unit)
        return self.exit_code(unit)

    def exit_code(self, unit: str = _UNIT) -> int:
        return int(self.machine.run(f"systemctl show {unit}.service -p ExecMainStatus --value").stdout)

    def is_failed(self, unit: str = _UNIT) -> bool:
        return self.machine.succeeds(f"systemctl is-failed --quiet {unit}.service")

    def said(self, unit: str = _UNIT) -> str:
        return self.machine.run(f"journalctl -u {unit}.service -n 60 -o cat --no-pager").stdout

    def metrics(self) -> dict[str, float]:
        """Each value by its short name, with status, outcome and node behind it."""
        text = self.machine.run(f"cat {_METRICS}").stdout
        return {
            ".".join(
                (
                    sample.name.removeprefix("harbor_agent_drift_"),
                    *(sample.labels[name] for name in ("node", "outcome", "status") if name in sample.labels),
                )
            ): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def units(self) -> str:
        """Every file that systemd reads from the administrator, and what timers keep."""
        return self.machine.run("find /etc/systemd /var/lib/systemd/timers -printf '%p %y %m %l\\n' | sort").stdout

    def trusts(self, node: LabNode) -> bool:
        info = "docker info --format '{{json .RegistryConfig}}'"
        return node.succeeds(f"{info} | grep -q {self.registry.entry}")


@pytest.fixture(scope="module")
def controller() -> Iterator[Controller]:
    def prepare(node: LabNode) -> None:
        if node.number == 1:
            installation.install(node)

    shapes = ("no-docker", "docker.io", "kubespray", "docker-ce", "containerd-kubespray")
    suites, packages = (str(installation.suite()),), installation.PACKAGES
    with (
        Lab(shapes=shapes, suites=suites, packages=packages, prepare=prepare) as lab,  # type: ignore[arg-type]
        running_registry(
            lab.folder / "registry",
            authentication="token",
            logins=[PULLER],
            host=lab.address,
            port=5000,
            prefix=lab.network.inside(()),
        ) as registry,
        running_apiserver(lab.folder / "apiserver", host=lab.address, namespace=lab.name) as api,
    ):
        registry.push(*IMAGE.split(":"), root=busybox_root(lab.nodes[0].base))
        yield Controller(lab, registry, api)


@pytest.fixture(scope="module")
def scheduled(controller: Controller) -> Controller:
    """The controller with the fleet as wanted, and a timer that corrects it."""
    applied = controller.agent("apply", "-i", "inventory.ini", *_LOGIN, "--yes", stdin=PULLER.password)
    assert applied.code == 0, applied.stderr
    installed = controller.install("--correct", "--metrics", _METRICS, "--every", "6h")
    assert installed.code == 0, installed.stderr
    return controller


def test_nothing_is_installed_without_a_yes(controller: Controller) -> None:
    before = controller.units()
    request = controller.agent("schedule", "install", "-i", "inventory.ini", sudo=True)
    assert (request.code, "not-confirmed" in request.stderr) == (7, True)
    assert f"+++ /etc/systemd/system/{_UNIT}.service" in request.stderr
    assert "User=ops" in request.stderr
    assert controller.units() == before


@pytest.mark.parametrize(
    ("arguments", "user", "code", "words"),
    [
        ((), "ops", "schedule-not-root", "run the command with sudo"),
        (("--user", "nobody"), "root", "schedule-path-closed", "user 'nobody' cannot write to /"),
        (("-i", "/tmp/hosts"), "root", "schedule-path-closed", "/tmp of its own"),
        (("--metrics", "/etc/x.prom"), "root", "schedule-path-closed", "user 'ops' cannot write to /etc"),
        (("--on-calendar", "sometimes"), "root", "usage", "sometimes"),
        (("--name", "masked"), "root", "schedule-not-ours", "masked.timer was not written by"),
    ],
)
def test_what_would_fail_at_night_is_refused_by_day(
    controller: Controller, arguments: tuple[str, ...], user: str, code: str, words: str
) -> None:
    controller.machine.run(f"cp ~ops/cluster/inventory.ini /tmp/hosts; ln -sf /dev/null {_masked()}")
    before = controller.units()
    inventory = () if "-i" in arguments else ("-i", "inventory.ini")
    ended = controller.agent("schedule", "install", *inventory, *arguments, "--yes", sudo=user == "root")
    assert (ended.code, f"[{code}]" in ended.stderr, words in ended.stderr) == (2, True, True), ended.stderr
    assert controller.units() == before
    controller.machine.run(f"rm {_masked()}")


def _masked() -> str:
    return f"/etc/systemd/system/{_UNIT}-masked.timer"


def test_an_installation_that_fails_leaves_nothing(controller: Controller) -> None:
    before = controller.units()
    wants = "/etc/systemd/system/timers.target.wants"
    controller.machine.run(f"mkdir -p {wants} && mount -t tmpfs -o ro none {wants}")
    failed = controller.install()
    controller.machine.run(f"umount {wants}")
    assert (failed.code, "schedule-failed" in failed.stderr) == (1, True), failed.stderr
    assert controller.units() == before


@pytest.mark.parametrize("noticed", [True, False], ids=["systemd-knows", "systemd-does-not-know"])
@pytest.mark.parametrize("kind", ["timer", "service"])
def test_half_a_schedule_can_be_removed(controller: Controller, kind: str, *, noticed: bool) -> None:
    before = controller.units()
    installed = controller.install("--name", "half", "--every", "6h")
    assert installed.code == 0, installed.stderr
    controller.machine.run(f"rm /etc/systemd/system/{_UNIT}-half.{kind}")
    if noticed:
        controller.machine.run("systemctl daemon-reload")
    removed = controller.agent("schedule", "remove", "--name", "half", "--yes", sudo=True)
    assert removed.code == 0, removed.stderr
    assert controller.units() == before
    assert "half" not in controller.machine.run("systemctl list-units --all --no-legend 'harbor*'").stdout


def test_systemd_has_nothing_to_say_against_the_units(scheduled: Controller) -> None:
    files = f"/etc/systemd/system/{_UNIT}.service /etc/systemd/system/{_UNIT}.timer"
    verified = scheduled.machine.run(f"systemd-analyze verify --man=no {files} 2>&1")
    assert verified.stdout == ""
    exposure = scheduled.machine.run(f"systemd-analyze security --no-pager {_UNIT}.service | tail -n 1").stdout
    assert float(exposure.split(":")[1].split()[0]) < 2.0
    facts = scheduled.machine.run(f"stat -c '%a %U' {files}").stdout
    assert facts.split() == ["644", "root"] * 2


def test_the_same_again_changes_nothing_and_another_time_is_taken(scheduled: Controller) -> None:
    options = ("--correct", "--metrics", _METRICS)
    before = scheduled.units()
    again = scheduled.install(*options, "--every", "6h")
    assert (again.code, again.stdout) == (0, f"{_UNIT} is already installed and up to date\n")
    assert scheduled.units() == before
    changed = scheduled.install(*options, "--on-calendar", "daily")
    assert (changed.code, "-OnUnitActiveSec=6h" in changed.stderr) == (0, True)
    shown = scheduled.show()
    assert (shown["when"], shown["next_run"][11:14]) == ("daily", "00:")


def test_the_timer_makes_up_for_a_run_that_was_missed(scheduled: Controller) -> None:
    timer = f"{_UNIT}.timer"
    scheduled.machine.run(
        f"mkdir -p /run/systemd/system/{timer}.d; "
        f"printf '[Timer]\\nRandomizedDelaySec=0\\n' >/run/systemd/system/{timer}.d/at-once.conf; "
        f"systemctl daemon-reload; touch -d '2 days ago' /var/lib/systemd/timers/stamp-{timer}; "
        f"systemctl restart {timer}"
    )
    wait_until(lambda: scheduled.show()["last_run"] is not None, "the timer has run the service", seconds=90)
    shown = scheduled.show()
    assert (shown["last_run"]["exit_code"], shown["last_run"]["result"]) == (0, "success"), scheduled.said()
    assert (shown["enabled"], shown["active"], shown["user"], shown["when"]) == (True, True, "ops", "daily")
    assert shown["next_run"].endswith("T00:00:00+00:00")
    found = scheduled.metrics()
    assert (found["exit_code"], found["nodes.in_sync"]) == (0, 4)


def test_what_others_did_is_undone_at_night_and_told(scheduled: Controller) -> None:
    by_hand, by_kubespray, stale, with_containerd = scheduled.fleet
    by_hand.run(f"rm {_DROP_IN} && {_RESTART}")
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
    assert (run["kind"], run["note"], run["exit_code"]) == ("correct", f"by {_UNIT}.timer", 0)
    assert run["who"].startswith("ops@")
    # By a real pull: the password came from a file that ops cannot read.
    assert [node["verified"] for node in run["nodes"]] == [True] * 4


def test_secrets_are_written_at_night_where_they_were_applied(scheduled: Controller) -> None:
    api, names = scheduled.api, ["a", "b", "c", "d"]
    for name in names:
        api.create_namespace(name, "default")
    secrets = [f"/api/v1/namespaces/{name}/secrets/harbor-pull" for name in names]
    scheduled.want_secrets(names[:3], max_drifted="30%")
    applied = scheduled.agent("secret", "apply", "-c", "harbor-agent.yaml", *_LOGIN, stdin=PULLER.password)
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
    assert (run["kind"], run["note"]) == ("correct", f"by {_UNIT}.timer")

    for path in secrets[:3]:
        api.ask("DELETE", path)
    assert not scheduled.machine.succeeds(f"systemctl start {_UNIT}.service")
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


def test_two_at_once_page_nobody(scheduled: Controller) -> None:
    node = scheduled.fleet[1]
    node.run(f"echo '# edited' >{_DROP_IN} && {_RESTART}")
    lock = f"/home/ops/.local/state/harbor-agent/{find_lock_file('/home/ops/cluster/inventory.ini').name}"
    scheduled.machine.run(f"systemd-run --quiet --unit=holder --uid=ops flock --no-fork {lock} sleep 1000")
    wait_until(lambda: "held" in scheduled.agent("lock", "show").stdout, "the lock is held", seconds=30)
    assert scheduled.run_now() == 75
    found = scheduled.metrics()
    assert (found["exit_code"], found["nodes.drift"]) == (75, 1)
    assert found["last_success_timestamp_seconds"] < found["last_run_timestamp_seconds"]
    scheduled.machine.run("systemctl stop holder.service")


def test_systemctl_stop_lets_the_node_in_flight_finish(scheduled: Controller) -> None:
    node = scheduled.fleet[1]
    scheduled.machine.run(f"systemctl start --no-block {_UNIT}.service")
    under_way = "systemctl is-active --quiet harbor-agent-transaction.service"
    wait_until(lambda: node.succeeds(under_way), "the transaction has begun", seconds=60)
    scheduled.machine.run(f"systemctl stop {_UNIT}.service", timeout=120)
    assert (scheduled.exit_code(), scheduled.is_failed()) == (143, False), scheduled.said()
    assert "stopping: nodes in progress finish" in scheduled.said()
    assert scheduled.trusts(node)
    run = scheduled.agent("history", "-o", "json").document["runs"][0]
    assert [(one["node"], one["outcome"]) for one in run["nodes"]] == [("node3", "changed")]


def test_an_inventory_that_shrank_to_nothing_is_heard(scheduled: Controller) -> None:
    before = scheduled.metrics()
    scheduled.write("kept.ini", scheduled.machine.run("cat ~ops/cluster/inventory.ini").stdout)
    scheduled.write("inventory.ini", "[nodes]\n")
    assert not scheduled.machine.succeeds(f"systemctl start {_UNIT}.service")
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
    options = ("--user", "root", "--metrics", _METRICS, "--name", "root", "--transport", "ansible", "--yes")
    named = ("-i", inventory, "--limit", limit)
    installed = scheduled.agent("schedule", "install", *named, *options, sudo=True, folder=folder)
    assert installed.code == 0, installed.stderr
    assert scheduled.run_now(f"{_UNIT}-root") == 3, scheduled.said(f"{_UNIT}-root")
    assert scheduled.metrics()["nodes.in_sync"] == 3
    assert scheduled.agent("schedule", "remove", "--name", "root", "--yes", sudo=True).code == 0


def test_removal_leaves_nothing_behind(scheduled: Controller) -> None:
    scheduled.machine.run(f"rm -r /run/systemd/system/{_UNIT}.timer.d")
    refused = scheduled.agent("schedule", "remove", "--name", "other", "--yes", sudo=True)
    assert (refused.code, f"installed: {_UNIT}" in refused.stderr) == (2, True), refused.stderr
    assert scheduled.agent("schedule", "remove", "--yes").code == 2
    removed = scheduled.agent("schedule", "remove", "--yes", sudo=True)
    assert removed.code == 0, removed.stderr
    assert "harbor-agent" not in scheduled.units()
    assert "harbor-agent" not in scheduled.machine.run("systemctl list-units --all --no-legend 'harbor*'").stdout
    assert scheduled.agent("schedule", "show").stdout.startswith("no schedules on this machine")
    assert scheduled.agent("history", "-o", "json").document["runs"]
