"""Passwords of ansible-vault from all their sources, and the errors if one is missing or wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

from harbor_agent.errors import ExitCode, UsageError
from harbor_agent.inventory.load import load_inventory
from harbor_agent.model.inventory import VaultSources

if TYPE_CHECKING:
    from harbor_agent.errors import Problem

SITE = Path(__file__).resolve().parents[3] / "inventories/vaulted"
WHOLE = str(SITE / "encrypted.yml")
PASSWORDS = SITE / "passwords"
GOOD = VaultSources(password_files=(str(PASSWORDS / "default"),))
ASK = (
    "import sys; from harbor_agent.inventory.load import load_inventory;"
    "from harbor_agent.model.inventory import VaultSources;"
    "print(load_inventory([sys.argv[1]], vault=VaultSources(ids=tuple(sys.argv[2:])))[0].password.reveal())"
)


def refusal(source: str, vault: VaultSources | None) -> Problem:
    with pytest.raises(UsageError) as caught:
        load_inventory([source], vault=vault)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "password\n" not in str(caught.value.problem)
    return caught.value.problem


def test_an_encrypted_inventory_opens_and_its_secrets_do_not_show() -> None:
    (node,) = load_inventory([WHOLE], vault=GOOD)

    assert node.password is not None
    assert node.password.reveal() == "from the encrypted inventory"
    assert "encrypted" not in repr(node)


@pytest.mark.parametrize("source", ["encrypted.yml", "hosts"])
def test_without_a_password_the_hint_names_the_options(source: str) -> None:
    problem = refusal(str(SITE / source), None)

    assert problem.code == "vault-password-missing"
    assert str(SITE) in problem.message
    assert "--vault-password-file" in problem.hint
    assert "--ask-vault-pass" in problem.hint


@pytest.mark.parametrize("source", ["encrypted.yml", "hosts"])
def test_a_wrong_password_is_reported_by_its_label(source: str) -> None:
    problem = refusal(str(SITE / source), VaultSources(ids=(f"dev@{PASSWORDS / 'dev-client'}",)))

    assert problem.code == "vault-password-wrong"
    assert "(dev)" in problem.message
    assert "dev-password" not in str(problem)


def test_a_single_value_names_host_and_variable(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yml"
    value = (SITE / "host_vars/v1.yml").read_text(encoding="utf-8").partition("ansible_user: ")[2]
    value = value.partition("ansible_become")[0].replace("\n          ", "\n            ")
    hosts.write_text(f"all:\n  hosts:\n    a:\n      ansible_user: {value}", encoding="utf-8")

    problem = refusal(str(hosts), GOOD)

    assert problem.code == "vault-password-wrong"
    assert "the variable ansible_user of host a" in problem.message


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [(None, 0o600, "not found"), ("", 0o600, "Invalid vault password"), ("#!/bin/sh\nexit 3\n", 0o700, "non-zero")],
)
def test_a_source_without_a_password_is_an_error_even_beside_a_good_one(
    tmp_path: Path, text: str | None, mode: int, reason: str
) -> None:
    file = tmp_path / "password"
    if text is not None:
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    problem = refusal(WHOLE, VaultSources(password_files=(*GOOD.password_files, str(file))))

    assert problem.code == "vault-password-unreadable"
    assert reason in problem.message


def test_the_prompt_is_on_the_terminal_even_if_the_streams_are_redirected() -> None:
    command = f'exec "{sys.executable}" -c "$ASK" "{WHOLE}" nobody@prompt </dev/null 2>/dev/null'
    child = pexpect.spawn("/bin/sh", ["-c", command], env={**os.environ, "ASK": ASK}, encoding="utf-8", timeout=60)

    child.expect_exact("Vault password (nobody): ")
    child.sendline("default-password")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 0
    assert "from the encrypted inventory" in child.before
    assert "default-password" not in child.before
