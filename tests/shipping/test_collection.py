"""The installed collection: what Ansible shows of it, and what it says if the Python package is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harbor_agent import __version__
from harbor_agent.engine.ansible_task import Phase, TaskRequest
from tests.shipping.collection import BIN, NAME, SOURCE, install_collection

if TYPE_CHECKING:
    from pathlib import Path

OURS = f"{NAME}.harbor_agent"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_collection(tmp_path_factory.mktemp("collection"))


def run(installed: Path, folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {"HOME": str(folder), "ANSIBLE_COLLECTIONS_PATH": str(installed), "PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=own, cwd=folder, check=False)


def describe(installed: Path, folder: Path, kind: str) -> dict[str, Any]:
    shown = run(installed, folder, str(BIN / "ansible-doc"), "-t", kind, "--json", OURS)
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)[OURS]


def test_it_has_the_version_of_the_package() -> None:
    assert yaml.safe_load((SOURCE / "galaxy.yml").read_text(encoding="utf-8"))["version"] == __version__


def test_the_module_is_documented_with_every_argument(installed: Path, tmp_path: Path) -> None:
    options = describe(installed, tmp_path, "module")["doc"]["options"]

    given_by_ansible = {"node", "nodes", "check_mode"}
    assert options.keys() == TaskRequest.__dataclass_fields__.keys() - given_by_ansible
    assert set(options["phase"]["choices"]) == set(Phase.__args__)


def test_the_role_is_documented_with_every_variable(installed: Path, tmp_path: Path) -> None:
    entry_points = describe(installed, tmp_path, "role")["entry_points"]

    assert entry_points.keys() == {"main", "verify", "secret"}
    defaults = yaml.safe_load((SOURCE / "roles/harbor_agent/defaults/main.yml").read_text(encoding="utf-8"))
    options = entry_points["main"]["options"]
    assert {name: option["default"] for name, option in options.items() if "default" in option} == defaults


def test_without_the_package_the_play_ends_with_a_message(installed: Path, tmp_path: Path) -> None:
    # Without `site`, Python does not see the package, which pip has installed in editable form.
    ended = run(
        installed,
        tmp_path,
        *(sys.executable, "-S", str(BIN / "ansible-playbook"), "-i", "node1,", f"{NAME}.site", "--check"),
        PYTHONPATH=sysconfig.get_path("purelib"),
    )

    assert ended.returncode != 0
    assert (
        f"the Python that runs Ansible ({sys.executable}) cannot import the package harbor-node-agent" in ended.stdout
    )
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_play_without_waves_is_refused_before_any_node_is_asked(installed: Path, tmp_path: Path) -> None:
    play = [{"hosts": "all", "gather_facts": False, "roles": [OURS]}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    command = (str(BIN / "ansible-playbook"), "-i", "127.0.0.1,127.0.0.2,", "play.yml", "-e", "ansible_port=1")

    refused = run(installed, tmp_path, *command)
    asked = run(installed, tmp_path, *command, "-e", "harbor_agent_all_at_once=true harbor_registries=192.168.0.99")

    assert refused.returncode != 0
    assert "the play has no waves" in refused.stdout
    assert "Check which registries the node reaches" not in refused.stdout
    assert asked.stdout.count("[ssh-refused]") == 2, asked.stdout
