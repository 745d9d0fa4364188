"""A timer is installed with a yes, whole or not at all, and as systemd wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.schedule.controller import METRICS, UNIT
from tests.lab import installation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.schedule.controller import Controller

pytestmark = [
    pytest.mark.needs("nodes", "apiserver"),
    pytest.mark.skipif(installation.suite() is None, reason="no Debian of the lab has this version of Python"),
]

_OPTIONS = ("--correct", "--metrics", METRICS)


@pytest.fixture
def installed(controller: Controller) -> Iterator[Controller]:
    """The controller with a timer, until the test ends."""
    ended = controller.install(*_OPTIONS, "--every", "6h")
    assert ended.code == 0, ended.stderr
    yield controller
    assert controller.agent("schedule", "remove", "--yes", sudo=True).code == 0


def test_nothing_is_installed_without_a_yes(controller: Controller) -> None:
    before = controller.units()
    request = controller.agent("schedule", "install", "-i", "inventory.ini", sudo=True)
    assert (request.code, "not-confirmed" in request.stderr) == (7, True)
    assert f"+++ /etc/systemd/system/{UNIT}.service" in request.stderr
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
    return f"/etc/systemd/system/{UNIT}-masked.timer"


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
    controller.machine.run(f"rm /etc/systemd/system/{UNIT}-half.{kind}")
    if noticed:
        controller.machine.run("systemctl daemon-reload")
    removed = controller.agent("schedule", "remove", "--name", "half", "--yes", sudo=True)
    assert removed.code == 0, removed.stderr
    assert controller.units() == before
    assert "half" not in controller.machine.run("systemctl list-units --all --no-legend 'harbor*'").stdout


def test_systemd_has_nothing_to_say_against_the_units(installed: Controller) -> None:
    files = f"/etc/systemd/system/{UNIT}.service /etc/systemd/system/{UNIT}.timer"
    verified = installed.machine.run(f"systemd-analyze verify --man=no {files} 2>&1")
    assert verified.stdout == ""
    exposure = installed.machine.run(f"systemd-analyze security --no-pager {UNIT}.service | tail -n 1").stdout
    assert float(exposure.split(":")[1].split()[0]) < 2.0
    facts = installed.machine.run(f"stat -c '%a %U' {files}").stdout
    assert facts.split() == ["644", "root"] * 2


def test_the_same_again_changes_nothing_and_another_time_is_taken(installed: Controller) -> None:
    before = installed.units()
    again = installed.install(*_OPTIONS, "--every", "6h")
    assert (again.code, again.stdout) == (0, f"{UNIT} is already installed and up to date\n")
    assert installed.units() == before
    changed = installed.install(*_OPTIONS, "--on-calendar", "daily")
    assert (changed.code, "-OnUnitActiveSec=6h" in changed.stderr) == (0, True)
    shown = installed.show()
    assert (shown["when"], shown["next_run"][11:14]) == ("daily", "00:")
