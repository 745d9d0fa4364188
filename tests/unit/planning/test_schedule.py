"""Units and crontab lines run the command with exactly its arguments, at the requested times."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.errors import UsageError
from harbor_agent.formats.systemd.service import evaluate_service
from harbor_agent.formats.systemd.syntax import expand_specifiers, split_words
from harbor_agent.formats.systemd.unit import parse_unit
from harbor_agent.planning.schedule import (
    Credential,
    Schedule,
    Timing,
    build_unit_name,
    parse_timing,
    render_crontab,
    render_service,
    render_timer,
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
    return [as_read(expand_specifiers(word.text, UNIT)) for word in split_words(value)]


def as_read(text: str) -> str:
    """The text of a value that the formats hold with one character per byte."""
    return text.encode("latin-1").decode()


@given(st.lists(TEXT, max_size=4))
def test_arguments_arrive_unchanged(arguments: list[str]) -> None:
    text = render_service(schedule(command=("/opt/harbor-agent", *arguments)), SERVICE)
    service = evaluate_service([(f"/etc/systemd/system/{UNIT}", parse_unit(text.encode()))], UNIT)
    (command,) = service.commands
    assert [as_read(word.text).replace("$$", "$") for word in command.placed] == ["/opt/harbor-agent", *arguments]
    # A single dollar sign would start a variable.
    assert all(word.text.replace("$$", "").count("$") == 0 for word in command.placed)


@given(TEXT, TEXT)
def test_only_the_named_folders_are_writable(state: str, metrics: str) -> None:
    folders = {"state_home": f"/{state}", "state_folder": f"/{state}/x", "metrics_folder": f"/{metrics}"}
    found = assignments(render_service(schedule(**folders), SERVICE))
    assert list_of(found["ReadWritePaths"][0]) == [f"-/{state}/x", f"-/{metrics}"]
    assert list_of(found["Environment"][0]) == [f"XDG_STATE_HOME=/{state}"]


def test_a_password_is_passed_by_its_path() -> None:
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
def test_text_that_would_start_another_line_is_refused(more: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="cannot be written in"):
        render_service(schedule(**more), SERVICE)


def test_only_root_gets_a_capability_and_only_a_run_on_this_machine_is_unconfined() -> None:
    assert assignments(render_service(schedule(), SERVICE))["CapabilityBoundingSet"] == [""]
    root = assignments(render_service(schedule(is_root=True, user="root"), SERVICE))
    assert root["CapabilityBoundingSet"] == ["CAP_DAC_OVERRIDE"]
    assert "ProtectSystem" not in assignments(render_service(schedule(confined=False), SERVICE))


def test_a_timer_follows_the_calendar_or_uptime() -> None:
    by_calendar = assignments(render_timer(schedule(timing=parse_timing(None, "Mon *-*-* 02:00")), TIMER))
    assert by_calendar["OnCalendar"] == ["Mon *-*-* 02:00"]
    assert by_calendar["Persistent"] == ["yes"]
    by_uptime = assignments(render_timer(schedule(timing=parse_timing("30min", None)), TIMER))
    assert (by_uptime["OnUnitActiveSec"], by_uptime["RandomizedDelaySec"]) == (["30min"], ["180s"])
    assert "OnCalendar" not in by_uptime


@pytest.mark.parametrize("every", ["", "1", "h", "0h", "4min", "1.5h", "-1h", "1 h", "1h\n", "٣h", "1w"])
def test_an_invalid_interval_is_refused(every: str) -> None:
    with pytest.raises(UsageError, match="--every"):
        parse_timing(every, None)


def test_two_times_are_refused_and_the_default_is_hourly() -> None:
    with pytest.raises(UsageError, match="cannot be used together"):
        parse_timing("1h", "daily")
    assert parse_timing(None, None) == Timing(calendar="hourly")


@pytest.mark.parametrize("name", ["", "A", "a b", "a/../b", "-a", "a-", "a%n", "a\n"])
def test_an_invalid_schedule_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="invalid schedule name"):
        build_unit_name(name)


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
    text = render_crontab(schedule(timing=parse_timing(every, calendar)), CRONTAB, minute=17)
    comment, line = text.splitlines()
    assert comment.startswith("#")
    assert " ".join(line.split()[:5]) == times


@pytest.mark.parametrize(("every", "calendar"), [("7h", None), ("45min", None), ("2d", None), (None, "Mon 02:00")])
def test_a_time_that_cron_cannot_express_is_refused(every: str | None, calendar: str | None) -> None:
    with pytest.raises(UsageError, match="cron"):
        render_crontab(schedule(timing=parse_timing(every, calendar)), CRONTAB, minute=17)


@pytest.mark.parametrize(
    ("code", "ends", "is_mailed"), [(0, 0, False), (75, 0, False), (3, 3, True), (2, 2, True), (143, 143, True)]
)
def test_cron_mails_findings_and_nothing_else(tmp_path: Path, code: int, ends: int, is_mailed: bool) -> None:  # noqa: FBT001 - a parameter
    program = tmp_path / "the %n 'program'"
    program.write_text(f'#!/bin/sh\nprintf "%s %s\\n" "$XDG_STATE_HOME" "$1"; pwd >&2; exit {code}\n')
    program.chmod(0o755)
    folder = tmp_path / "100% $HOME"
    folder.mkdir()
    text = render_crontab(
        schedule(command=(str(program), 'a $x "y" %'), folder=str(folder), state_home="/s %"), CRONTAB, minute=1
    )
    command = text.splitlines()[1].split(" ", 5)[5]
    # cron passes the text up to the first bare percent sign to the shell (crontab(5)); there is none.
    assert "%" not in command.replace("\\%", "")
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace("\\%", "%")], check=False, capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == ends
    assert done.stdout == (f'/s % a $x "y" %\n{folder}\n' if is_mailed else "")
    assert done.stderr == ""
