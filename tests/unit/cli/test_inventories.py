"""Inventories on the command line: found, opened, written into plan files, and reported with the place of an error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Runner

VAULTED = Path(__file__).resolve().parents[2] / "inventories/vaulted"
NOBODY_LISTENS = "ansible_host=127.0.0.1 ansible_port=1"
PLAN = ("plan", "--registry", "192.168.0.99", "-o", "json")


def nodes(document: dict[str, Any]) -> list[str]:
    return [node["node"] for node in document["nodes"]]


@pytest.fixture
def vaulted(tmp_path: Path) -> Path:
    """A host behind an encrypted value, and the file with the password."""
    value = (VAULTED / "host_vars/v2.yml").read_text(encoding="utf-8").partition("ansible_user: ")[2].partition("#")[0]
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars/v1.yml").write_text(f"ansible_user: {value}", encoding="utf-8")
    (tmp_path / "hosts").write_text(f"v1 {NOBODY_LISTENS}\n", encoding="utf-8")
    return Path(shutil.copy(VAULTED / "passwords/dev-client", tmp_path / "dev-client"))


def test_ansible_cfg_names_the_inventory_and_a_plan_file_keeps_it(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(f"n1 {NOBODY_LISTENS}\n", encoding="utf-8")
    (tmp_path / "ansible.cfg").write_text("[defaults]\ninventory = hosts\n", encoding="utf-8")
    tmp_path.chmod(0o755)

    ran = run(*PLAN, "--out", "change.plan")

    assert (ran.rc, nodes(ran.document())) == (4, ["n1"])
    request = json.loads(run("plan", "show", "change.plan", "-o", "json").out)["request"]
    assert request["selection"]["sources"] == [str(tmp_path / "hosts")]

    tmp_path.chmod(0o777)
    ran = run(*PLAN)
    assert (ran.rc, ran.document()["error"]["code"]) == (2, "inventory-missing")
    assert "is ignored because its directory is world-writable" in ran.err


def test_a_vault_opens_with_the_usual_options_and_says_so_where_it_does_not(
    run: Runner, vaulted: Path, tmp_path: Path
) -> None:
    ran = run(*PLAN, "-i", "hosts", "--vault-id", f"dev@{vaulted.name}", "--out", "change.plan")
    assert (ran.rc, nodes(ran.document())) == (4, ["v1"])
    assert "other@127.0.0.1" in ran.out
    kept = json.loads((tmp_path / "change.plan").read_text(encoding="utf-8"))["request"]["selection"]["vault"]
    assert kept["ids"] == [f"dev@{vaulted}"]

    ran = run("rollback", "--node", "v1", "-i", "hosts", "--vault-id", f"dev@{vaulted.name}", "--yes")
    assert ran.rc == 4

    ran = run(*PLAN, "-i", "hosts")
    assert (ran.rc, ran.document()["error"]["code"]) == (2, "vault-password-missing")
    ran = run(*PLAN, "-i", "hosts", "--vault-password-file", str(VAULTED / "passwords/default"))
    assert (ran.rc, ran.document()["error"]["code"]) == (2, "vault-password-wrong")
    assert "default-password" not in ran.out + ran.err


def test_a_file_of_kubekeys_is_an_inventory(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "apiVersion: kubekey.kubesphere.io/v1alpha2\nkind: Cluster\nspec:\n  hosts:\n"
        "  - {name: node1, address: 127.0.0.1, port: 1, password: Qcloud@123}\n"
        "  - {name: node2, address: 127.0.0.1, port: 2}\n  roleGroups: {etcd: [node1], worker: ['node[1:2]']}\n",
        encoding="utf-8",
    )

    ran = run(*PLAN, "-i", "config.yaml", "--limit", "worker:!etcd")

    assert (ran.rc, nodes(ran.document())) == (4, ["node2"])
    assert "Qcloud" not in run(*PLAN, "-i", "config.yaml").out


def test_two_names_of_one_machine_are_one_node_and_a_line_says_so(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(f"n1 {NOBODY_LISTENS}\nn2 {NOBODY_LISTENS}\n", encoding="utf-8")

    ran = run(*PLAN, "-i", "hosts")

    assert nodes(ran.document()) == ["n1"]
    assert "n1 and n2 are one machine (127.0.0.1), planned once as n1" in ran.err
