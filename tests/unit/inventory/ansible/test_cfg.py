"""ansible.cfg is read from the same places as by Ansible, and sets the same things."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

LOAD = """
import json, sys
from harbor_agent.errors import AgentError
from harbor_agent.inventory.load import load_inventory

warnings = []
try:
    nodes = load_inventory(sys.argv[1:], warn=warnings.append)
except AgentError as error:
    print(json.dumps({"code": error.problem.code, "text": str(error.problem), "warnings": [p.code for p in warnings]}))
else:
    ways = {node.name: [node.become.method, node.become.executable, node.become.flags] for node in nodes if node.become}
    users = {node.name: node.user for node in nodes}
    print(json.dumps({"become": ways, "users": users, "warnings": [p.code for p in warnings]}))
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with an inventory and an ansible.cfg."""
    folder = tmp_path / "site"
    folder.mkdir(mode=0o755)
    (tmp_path / "home").mkdir()
    (folder / "hosts").write_text("n1\nn2 ansible_user=own\n", encoding="utf-8")
    (folder / "ansible.cfg").write_text("[defaults]\ninventory = hosts\nremote_user = site\n", encoding="utf-8")
    return folder


def load(site: Path, *sources: str, **environment: str) -> dict[str, Any]:
    base = {"PATH": os.environ["PATH"], "HOME": str(site.parent / "home")}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *sources],
        cwd=site,
        env={**base, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return dict(json.loads(done.stdout))


def test_the_file_in_the_current_directory_sets_inventory_and_user(site: Path) -> None:
    assert load(site) == {"become": {}, "users": {"n1": "site", "n2": "own"}, "warnings": []}


def test_a_world_writable_directory_is_ignored_with_a_warning(site: Path) -> None:
    site.chmod(0o777)

    assert load(site, "hosts") == {
        "become": {},
        "users": {"n1": None, "n2": "own"},
        "warnings": ["ansible-cfg-ignored"],
    }
    without = load(site)
    assert (without["code"], without["warnings"]) == ("inventory-missing", ["ansible-cfg-ignored"])
    assert load(site, ANSIBLE_CONFIG=str(site / "ansible.cfg"))["users"] == {"n1": "site", "n2": "own"}


def test_the_environment_overrides_the_current_directory_and_that_the_home_directory(site: Path) -> None:
    (site.parent / "home/.ansible.cfg").write_text("[defaults]\nremote_user = home\n", encoding="utf-8")

    assert load(site, "hosts")["users"]["n1"] == "site"
    assert load(site, "hosts", ANSIBLE_REMOTE_USER="environment")["users"]["n1"] == "environment"
    (site / "ansible.cfg").unlink()
    assert load(site, "hosts")["users"]["n1"] == "home"
    assert load(site, ANSIBLE_INVENTORY="hosts")["users"]["n1"] == "home"


@pytest.mark.field("06")
def test_the_settings_for_becoming_root_are_used(site: Path) -> None:
    with (site / "ansible.cfg").open("a", encoding="utf-8") as file:
        file.write("[privilege_escalation]\nbecome_method = su\nbecome_exe = sudo su -\n")

    assert load(site)["become"] == {"n1": ["su", "sudo su -", ""], "n2": ["su", "sudo su -", ""]}
    assert load(site, ANSIBLE_BECOME_EXE="/opt/su", ANSIBLE_BECOME_FLAGS="-l")["become"]["n1"] == [
        "su",
        "/opt/su",
        "-l",
    ]
    assert load(site, ANSIBLE_BECOME_METHOD="doas")["code"] == "inventory-variable-invalid"


@pytest.mark.parametrize("text", ["remote_user = nobody\n", "[defaults]\nremote_port = ssh\n"])
def test_an_invalid_file_is_an_error(site: Path, text: str) -> None:
    (site / "ansible.cfg").write_text(text, encoding="utf-8")

    found = load(site, "hosts")

    assert found["code"] == "ansible-cfg-invalid"
    assert str(site / "ansible.cfg") in found["text"]


def test_a_missing_inventory_of_the_file_is_an_error(site: Path) -> None:
    (site / "hosts").unlink()

    assert load(site)["code"] == "inventory-missing"
