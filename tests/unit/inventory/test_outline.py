"""Names for completion come from the text of an inventory, and are those that Ansible finds in it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harbor_agent.inventory.load import load_inventory
from harbor_agent.inventory.outline import list_names

if TYPE_CHECKING:
    from pathlib import Path

INI = """\
# comment
bastion ansible_host=10.0.0.9  # another
[kube_node]
node[01:03] ansible_user=ops
edge:2222
10.0.0.7 # an address
[cluster:children]
kube_node
etcd
[cluster:vars]
not_a_host=5
[etcd]
node01
"""
YAML = """\
all:
  vars: {secret: !vault "x", not_a_host: 1}
  children:
    kube_node:
      hosts:
        node[01:03]: {ansible_host: 10.0.0.1}
        edge:
    etcd: {hosts: {node01: }}
"""
KUBEKEY = """\
apiVersion: kubekey.kubesphere.io/v1alpha2
kind: Cluster
metadata: {name: sample}
spec:
  hosts:
  - {name: node1, address: 10.0.0.1, user: ops, password: secret}
  - {name: node2, address: 10.0.0.2, user: ops, password: secret}
  roleGroups: {etcd: [node1], control-plane: [node1], worker: ["node[1:2]"]}
"""
RKE = "nodes:\n  - {address: 10.0.0.1, user: ops, role: [etcd]}\n  - {address: 10.0.0.2, user: ops, role: [worker]}\n"


@pytest.mark.parametrize(
    ("name", "text"), [("hosts", INI), ("hosts.yml", YAML), ("cluster.yaml", KUBEKEY), ("rke.yml", RKE)]
)
def test_the_names_are_those_of_the_inventory(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    found = list_names([str(file)])
    nodes = load_inventory([str(file)])
    hosts = {one for node in nodes for one in (node.name, *node.aliases)}
    groups = {group for node in nodes for group in node.groups} - {"all", "ungrouped"}
    assert {one for one, kind in found.items() if kind == "host"} == hosts
    assert groups <= {one for one, kind in found.items() if kind == "group"}
    assert "not_a_host" not in found


def test_a_folder_and_a_list_have_names_too(tmp_path: Path) -> None:
    (tmp_path / "a.ini").write_text("[one]\nn1\n", encoding="utf-8")
    (tmp_path / "b.yml").write_text("two: {hosts: {n2: }}\n", encoding="utf-8")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text("n3: {hosts: {n4: }}\n", encoding="utf-8")
    assert list_names([str(tmp_path), "h1, h2,"]) == {
        "one": "group",
        "n1": "host",
        "two": "group",
        "n2": "host",
        "h1": "host",
        "h2": "host",
    }


def test_a_script_is_not_run_and_a_long_range_is_not_expanded(tmp_path: Path) -> None:
    script = tmp_path / "dynamic"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n", encoding="utf-8")
    script.chmod(0o755)
    (tmp_path / "long").write_text("n[1:99999999]\nm[a:c]\n", encoding="utf-8")
    assert list_names([str(script), str(tmp_path / "long"), str(tmp_path / "missing")]) == {}
    assert not (tmp_path / "ran").exists()


def test_ansible_is_not_imported() -> None:
    code = "import sys, harbor_agent.inventory.outline; sys.exit('ansible' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
