"""What stands in units and crontabs arrives as it was given, at the times that were named."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.errors import UsageError
from harbor_agent.formats.systemd.service import evaluate_service
from harbor_agent.formats.systemd.syntax import expand_specifiers, words
from harbor_agent.formats.systemd.unit import parse_unit
from harbor_agent.planning.schedule import (
    Credential,
    Schedule,
    Timing,
    render_crontab,
    render_service,
    render_timer,
    timing,
    unit_name,
)

TEMPLATES = Path(__file__).resolve().parents[3] / "templates"
SERVICE, TIMER, CRONTAB = (
    (TEMPLATES / name).read_text() for name in ("drift.service.j2", "drift.timer.j2", "crontab.j2")
)
UNIT = "harbor-agent-drift.service"
# No NUL, no line ends: those are refused.
TEXT = st.text(st.characters(min_codepoint=0x20, exclude_characters="\x7f", exclude_categories=("Cs", "Cc")))


def schedule(**more: object) -> Schedule:
    values: dict[str, object] = {
        "unit": "harbor-agent-drift",
        "user": "ops",
        "is_root": False,
        "command": ("/opt/harbor-agent", "drift"),
        "folder": "/home/ops",
        "state_home": "/home/ops/.local/state",
        "state_folder": "/home/ops/.local/state/harbor-agent",
        "timing": Timing(calendar="hourly"),
    }
    return Schedule(**(values | more))  # type: ignore[arg-type]


def assignments(text: str) -> dict[str, list[str]]:
    unit = parse_unit(text.encode())
    assert unit.faults == ()
    found: dict[str, list[str]] = {}
    for one in unit.assignments:
        found.setdefault(one.key, []).append(one.value)
    return found


def list_of(value: str) -> list[str]:
    return [as_read(expand_specifiers(word.text, UNIT)) for word in words(value)]


def as_read(text: str) -> str:
    """What the formats hold as a character a byte."""
    return text.encode("latin-1").decode()


@given(st.lists(TEXT, max_size=4))
def test_arguments_arrive_as_they_were_given(arguments: list[str]) -> None:
    text = render_service(schedule(command=("/opt/harbor-agent", *arguments)), SERVICE)
    service = evaluate_service([(f"/etc/systemd/system/{UNIT}", parse_unit(text.encode()))], UNIT)
    (command,) = service.commands
    assert [as_read(word.text).replace("$$", "$") for word in command.placed] == ["/opt/harbor-agent", *arguments]
    # A dollar that stands alone would begin a variable.
    assert all(word.text.replace("$$", "").count("$") == 0 for word in command.placed)


@given(TEXT, TEXT)
def test_folders_that_may_be_written_to_are_those_that_were_named(state: str, metrics: str) -> None:
    folders = {"state_home": f"/{state}", "state_folder": f"/{state}/x", "metrics_folder": f"/{metrics}"}
    found = assignments(render_service(schedule(**folders), SERVICE))
    assert list_of(found["ReadWritePaths"][0]) == [f"-/{state}/x", f"-/{metrics}"]
    assert list_of(found["Environment"][0]) == [f"XDG_STATE_HOME=/{state}"]


def test_a_password_is_handed_over_by_its_path() -> None:
    text = render_service(schedule(credentials=(Credential(name="file-1", path="/etc/50% of it"),)), SERVICE)
    assert assignments(text)["LoadCredential"] == ["file-1:/etc/50%% of it"]


@pytest.mark.parametrize(
    "more",
    [
        {"command": ("/opt/harbor-agent", "a\nExecStart=/bin/evil")},
        {"folder": "/home/ops\nUser=root"},
        {"folder": "/home/ops\\"},
        {"state_home": "/home/ops\r"},
        {"folder": "/home/\udcff"},
        {"credentials": (Credential(name="x", path="/etc/x "),)},
    ],
)
def test_what_would_be_another_line_is_refused(more: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="cannot stand in"):
        render_service(schedule(**more), SERVICE)


def test_only_root_gets_a_capability_and_only_a_run_on_this_machine_is_free() -> None:
    assert assignments(render_service(schedule(), SERVICE))["CapabilityBoundingSet"] == [""]
    root = assignments(render_service(schedule(is_root=True, user="root"), SERVICE))
    assert root["CapabilityBoundingSet"] == ["CAP_DAC_OVERRIDE"]
    assert "ProtectSystem" not in assignments(render_service(schedule(confined=False), SERVICE))


def test_a_timer_goes_by_the_calendar_or_by_uptime() -> None:
    by_calendar = assignments(render_timer(schedule(timing=timing(None, "Mon *-*-* 02:00")), TIMER))
    assert by_calendar["OnCalendar"] == ["Mon *-*-* 02:00"]
    assert by_calendar["Persistent"] == ["yes"]
    by_uptime = assignments(render_timer(schedule(timing=timing("30min", None)), TIMER))
    assert (by_uptime["OnUnitActiveSec"], by_uptime["RandomizedDelaySec"]) == (["30min"], ["180s"])
    assert "OnCalendar" not in by_uptime


@pytest.mark.parametrize("every", ["", "1", "h", "0h", "4min", "1.5h", "-1h", "1 h", "1h\n", "٣h", "1w"])
def test_what_is_no_time_is_refused(every: str) -> None:
    with pytest.raises(UsageError, match="--every"):
        timing(every, None)


def test_two_times_are_refused_and_none_is_hourly() -> None:
    with pytest.raises(UsageError, match="two times"):
        timing("1h", "daily")
    assert timing(None, None) == Timing(calendar="hourly")


@pytest.mark.parametrize("name", ["", "A", "a b", "a/../b", "-a", "a-", "a%n", "a\n"])
def test_a_name_that_no_unit_can_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="unit's name"):
        unit_name(name)


@pytest.mark.parametrize(
    ("every", "calendar", "times"),
    [
        ("15min", None, "2-59/15 * * * *"),
        ("30min", None, "17-59/30 * * * *"),
        ("60min", None, "17 * * * *"),
        ("6h", None, "17 */6 * * *"),
        ("24h", None, "17 0 * * *"),
        ("7d", None, "17 0 * * 1"),
        (None, None, "17 * * * *"),
        (None, "daily", "17 0 * * *"),
        (None, "monthly", "17 0 1 * *"),
    ],
)
def test_times_of_cron(every: str | None, calendar: str | None, times: str) -> None:
    text = render_crontab(schedule(timing=timing(every, calendar)), CRONTAB, minute=17)
    comment, line = text.splitlines()
    assert comment.startswith("#")
    assert " ".join(line.split()[:5]) == times


@pytest.mark.parametrize(("every", "calendar"), [("7h", None), ("45min", None), ("2d", None), (None, "Mon 02:00")])
def test_a_time_that_cron_has_not_is_refused(every: str | None, calendar: str | None) -> None:
    with pytest.raises(UsageError, match="cron"):
        render_crontab(schedule(timing=timing(every, calendar)), CRONTAB, minute=17)


@pytest.mark.parametrize(
    ("code", "ends", "is_heard"), [(0, 0, False), (75, 0, False), (3, 3, True), (2, 2, True), (143, 143, True)]
)
def test_cron_mails_what_is_to_be_heard_and_nothing_else(tmp_path: Path, code: int, ends: int, is_heard: bool) -> None:  # noqa: FBT001 - a parameter
    program = tmp_path / "the %n 'program'"
    program.write_text(f'#!/bin/sh\nprintf "%s %s\\n" "$XDG_STATE_HOME" "$1"; pwd >&2; exit {code}\n')
    program.chmod(0o755)
    folder = tmp_path / "100% $HOME"
    folder.mkdir()
    text = render_crontab(
        schedule(command=(str(program), 'a $x "y" %'), folder=str(folder), state_home="/s %"), CRONTAB, minute=1
    )
    command = text.splitlines()[1].split(" ", 5)[5]
    # What cron hands to the shell (crontab(5)): up to the first bare percent sign, of which there is none.
    assert "%" not in command.replace("\\%", "")
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace("\\%", "%")], check=False, capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == ends
    assert done.stdout == (f'/s % a $x "y" %\n{folder}\n' if is_heard else "")
    assert done.stderr == ""
