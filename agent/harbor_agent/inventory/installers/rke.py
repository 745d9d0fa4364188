"""RKE 1 cluster files (`cluster.yml`) as inventories: all of their nodes are Docker nodes.

Checks are those of github.com/rancher/rke (cluster/validation.go). A key that the file does not name is searched for as
by ssh: RKE's default is one of ssh's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harbor_agent.inventory.installers.jump import build_jump_arguments
from harbor_agent.inventory.installers.reader import Group, Machines, Reader, load_documents

if TYPE_CHECKING:
    from collections.abc import Sequence

_NODES = re.compile(r"^\ufeff?[\"']?nodes[\"']?[ \t]*:", re.MULTILINE)
_ADDRESS = re.compile(r"^[ \t-]*\{?.*\b(?:address|role)[\"']?[ \t]*:", re.MULTILINE)
_HINT = "compare the file with one of rke config"


def parse_rke_machines(text: str, path: str) -> Machines | None:
    """Return the machines of an RKE file; None if `text` is another file. Raises UsageError with path and place."""
    if not (_NODES.search(text) and _ADDRESS.search(text)):
        return None
    reader = Reader(path, _HINT)
    for document in load_documents(text, path):
        nodes = document.get("nodes")
        # In an inventory of Ansible, a group is a mapping.
        if isinstance(nodes, list) and nodes and all(isinstance(node, Mapping) for node in nodes):
            return _parse_nodes(reader, document, nodes)
    return None


def _parse_nodes(reader: Reader, document: Mapping[str, object], nodes: Sequence[Mapping[str, object]]) -> Machines:
    common_key = reader.read_text(document, "ssh_key_path", "the file")
    jump = _build_jump(reader, reader.read_mapping(document.get("bastion_host"), "bastion_host"))
    hosts: dict[str, Mapping[str, object]] = {}
    members: dict[str, list[str]] = {}
    names = []
    for number, node in enumerate(nodes):
        where = f"nodes[{number}]"
        address, user = reader.read_text(node, "address", where), reader.read_text(node, "user", where)
        if address is None or user is None:
            raise reader.build_error(f"{where} has no {'user' if address else 'address'}")
        name = reader.read_text(node, "hostname_override", where) or address
        if node.get("ssh_key"):
            hint = "write the key to a file with mode 0600 and set ssh_key_path to its path"
            raise reader.build_error(f"node {name} has an inline private key (ssh_key), which is not supported", hint)
        names.append((name, address))
        for role in reader.read_names(node.get("role"), f"role of {name}"):
            members.setdefault(role, []).append(name)
        found = {
            "ansible_host": address,
            "ansible_port": reader.read_text(node, "port", where),
            "ansible_user": user,
            "ansible_private_key_file": reader.read_text(node, "ssh_key_path", where) or common_key,
            "ansible_ssh_common_args": jump,
        }
        hosts[name] = {variable: value for variable, value in found.items() if value is not None}
    reader.require_unique(names, "nodes")
    return Machines(hosts=hosts, groups={role: Group(hosts=tuple(hosts)) for role, hosts in members.items()})


def _build_jump(reader: Reader, bastion: Mapping[str, object]) -> str | None:
    """Return the ssh arguments for the host that RKE goes through; None if there is none."""
    address = reader.read_text(bastion, "address", "bastion_host")
    if address is None:
        return None
    return build_jump_arguments(
        address,
        port=reader.read_text(bastion, "port", "bastion_host"),
        user=reader.read_text(bastion, "user", "bastion_host"),
        key_file=reader.read_text(bastion, "ssh_key_path", "bastion_host"),
    )
