"""schedule show prints the units and crontab lines on any machine, with what they could not do."""

from __future__ import annotations

import json
import os
import pwd
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.request.credentials import build_credential_name

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Ran, Runner

HAS_SYSTEMD = Path("/run/systemd/system").is_dir()


@pytest.fixture
def show(run: Runner, tmp_path: Path) -> Runner:
    """Show what would be installed for an inventory of two nodes; `settings` go into harbor-agent.yaml."""
    (tmp_path / "hosts").write_text("node1\nnode2\n")

    def shown(*arguments: str, settings: object = None, **environment: str) -> Ran:
        if settings is not None:
            (tmp_path / "harbor-agent.yaml").write_text(json.dumps(settings))
        return run("schedule", "show", "-i", "hosts", *arguments, **{"SUDO_USER": "", **environment})

    return shown


def with_login(**source: str) -> dict[str, object]:
    return {"registries": [{"address": "192.0.2.9", "credentials": {"username": "u", **source}}]}


def test_the_units_are_shown_with_every_path_absolute(show: Runner, tmp_path: Path) -> None:
    ran = show("--limit", "node1", "--metrics", "site.prom", settings={}, XDG_STATE_HOME="/elsewhere")
    assert ran.rc == 0, ran.err
    command = re.search(r"^ExecStart=\S+harbor-agent (.*)$", ran.out, re.MULTILINE)
    assert command
    arguments = f"-i {tmp_path}/hosts --limit node1 -c {tmp_path}/harbor-agent.yaml --metrics {tmp_path}/site.prom"
    assert command[1] == f"drift {arguments}"
    for line in (
        f"WorkingDirectory={tmp_path}",
        f"User={pwd.getpwuid(os.geteuid()).pw_name}",
        "Environment=XDG_STATE_HOME=/elsewhere",
        f"ReadWritePaths=-/elsewhere/harbor-agent -{tmp_path}",
        "OnCalendar=hourly",
    ):
        assert line in ran.out.splitlines()
    assert "# /etc/systemd/system/harbor-agent-drift.timer" in ran.out


def test_a_correction_is_confirmed_beforehand_and_named_in_the_history(show: Runner) -> None:
    ran = show("--correct", "--name", "site", "--every", "6h", "--registry", "192.0.2.9")
    assert '--registry 192.0.2.9 --correct --yes --note "by harbor-agent-drift-site.timer"' in ran.out
    assert "OnUnitActiveSec=6h" in ran.out


def test_a_password_file_is_handed_over_and_never_read(show: Runner, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("canary-in-the-file")
    settings = with_login(password_file=str(file))
    assert f"LoadCredential={build_credential_name(file)}:{file}" in show("--correct", settings=settings).out
    # A look needs no password, so none is handed to it.
    ran = show(settings=settings)
    assert (ran.rc, "LoadCredential" in ran.out) == (0, False)
    file.unlink()
    gone = show("--correct", settings=settings)
    assert (gone.rc, "credentials-missing" in gone.err) == (2, True)


def test_the_files_of_receivers_are_handed_over_to_every_check(show: Runner, tmp_path: Path) -> None:
    for name in ("url", "secret"):
        (tmp_path / name).write_text("https://canary.example")
    files = [tmp_path / "url", tmp_path / "secret"]
    ran = show(settings={"notify": [{"url_file": "url", "kind": "feishu", "secret_file": "secret"}]})
    for file in files:
        assert f"LoadCredential={build_credential_name(file)}:{file}" in ran.out
    assert "canary" not in ran.out
    ran = show(settings={"notify": [{"url_env": "HOOK"}]}, HOOK="https://canary.example")
    assert (ran.rc, "schedule-password-in-environment" in ran.err, "canary" in ran.err) == (2, True, False)


def test_a_password_in_the_environment_is_refused_and_printed_nowhere(show: Runner) -> None:
    ran = show("--correct", settings=with_login(password_env="PW"), PW="canary-in-the-environment")
    assert (ran.rc, "schedule-password-in-environment" in ran.err, "$PW" in ran.err) == (2, True, True)
    assert "canary" not in ran.err + ran.out
    assert show(settings=with_login(password_env="PW")).rc == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--ask-become-pass",), "cannot ask for passwords"),
        (("--vault-id", "a@prompt"), "cannot ask for passwords"),
        (("--vault-id", "prompt"), "cannot ask for passwords"),
        (("--ask-vault-pass",), "cannot ask for passwords"),
        (("--user", "nemo"), "no user 'nemo'"),
        (("--every", "1h", "--on-calendar", "daily"), "cannot be used together"),
        (("--every", "1s"), "invalid interval"),
        (("--name", "../x"), "invalid schedule name"),
        (("--metrics", "x.txt"), "end in .prom"),
        (("--correct",), "no registry is named"),
        (("--limit", "nobody"), "limit"),
        (("--every", "7h", "--crontab"), "cron cannot express this time"),
    ],
)
def test_what_cannot_be_is_said(show: Runner, arguments: tuple[str, ...], words: str) -> None:
    ran = show(*arguments)
    assert (ran.rc, words in ran.err) == (2, True), ran.err


@pytest.mark.parametrize(
    "setting", ["ask_vault_pass = True", "vault_identity_list = site@prompt", "vault_identity_list = prompt"]
)
def test_a_vault_password_that_ansible_would_ask_for_is_nothing_for_a_timer(
    show: Runner, tmp_path: Path, setting: str
) -> None:
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\n{setting}\n")
    ran = show()
    assert (ran.rc, "cannot ask for passwords" in ran.err) == (2, True), ran.err


def test_the_environment_asks_for_a_vault_password_too(show: Runner, run: Runner) -> None:
    for asks in ({"ANSIBLE_ASK_VAULT_PASS": "True"}, {"ANSIBLE_VAULT_IDENTITY_LIST": "site@prompt"}):
        ran = show(**asks)
        assert (ran.rc, "cannot ask for passwords" in ran.err) == (2, True), ran.err
        assert run("schedule", "show", "--transport", "local", **asks).rc == 0  # reads no inventory


def test_programs_for_this_very_machine_are_not_shut_in(show: Runner, tmp_path: Path) -> None:
    assert "ProtectSystem=strict" in show().out
    (tmp_path / "hosts").write_text("here ansible_connection=local\n")
    assert "ProtectSystem" not in show().out


def test_a_line_for_cron(show: Runner, tmp_path: Path) -> None:
    ran = show("--crontab")
    assert ran.rc == 0
    comment, line = ran.out.splitlines()
    assert comment.startswith("# harbor-agent-drift, for the crontab of")
    assert re.match(rf"\d+ \* \* \* \* cd {tmp_path} && ", line)
    assert ran.out == show("--crontab").out


@pytest.mark.skipif(HAS_SYSTEMD, reason="this machine was booted with systemd")
def test_without_systemd_cron_is_the_way_out(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("node1\n")
    ran = run("schedule", "install", "-i", "hosts", "--yes")
    assert (ran.rc, "schedule-no-systemd" in ran.err) == (2, True)
    assert " * * * * cd " in ran.err
    assert "no schedules on this machine" in run("schedule", "show").out
    assert run("schedule", "show", "-o", "json").document()["schedules"] == []
    assert "schedule-missing" in run("schedule", "remove", "--yes").err
