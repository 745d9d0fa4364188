"""No file ends a command as a bug: whatever an inventory holds, there are nodes or one error that names the file."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harbor_agent.errors import UsageError
from harbor_agent.inventory.load import ansible_sources, load_inventory

if TYPE_CHECKING:
    from pathlib import Path

KUBEKEY = b"""\
apiVersion: kubekey.kubesphere.io/v1alpha2
kind: Cluster
spec:
  hosts:
  - {name: node1, address: 172.16.0.2, internalAddress: 10.0.0.2, user: ubuntu, password: "x", port: 22}
  - {name: node2, address: 172.16.0.3}
  roleGroups:
    etcd: [node1]
    worker: ["node[1:2]"]
"""
KUBEKEY_4 = b"""\
apiVersion: kubekey.kubesphere.io/v1
kind: Inventory
spec:
  vars: {connector: {user: ops}}
  hosts:
    node1: {connector: {type: ssh, host: 192.168.1.10, port: 2222}}
    node2:
  groups:
    k8s_cluster: {groups: [etcd]}
    etcd: {hosts: [node1], vars: {connector: {private_key: /keys/workers}}}
"""
RKE = b"""\
nodes:
- {address: 10.99.0.12, port: "22", role: [controlplane, etcd], user: rancher}
- {address: 10.99.0.13, hostname_override: node2, role: [worker], user: rancher, ssh_key_path: ~/.ssh/id}
bastion_host: {address: 10.99.0.1, user: ops}
"""
K0S = b"apiVersion: k0sctl.k0sproject.io/v1beta1\nkind: Cluster\nspec: {hosts: [{ssh: {address: 10.0.0.1}}]}\n"
INI = b"[all]\nnode1 ansible_host=10.0.0.1\nbastion ansible_port=22\n[bastion]\nbastion\n[kube_node]\nnode1\n"
YAML = b"all:\n  hosts:\n    node1: {ansible_host: 10.0.0.1, harbor_skip: no}\n  children: {a: {hosts: {node1: }}}\n"
INTERESTING = (
    *(
        b"\0",
        b"\x1b",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xb1\xbe",
        b"\xed\xa0\x80",
        b"\\ud800",
        b'"\\uD800"',
        b"9" * 5000,
    ),
    *(
        b"[" * 2000,
        b"{" * 2000,
        b"null",
        b"{}",
        b"[]",
        b"- ",
        b"!!binary x",
        b"2020-99-99",
        b"&a [*a]",
        b"*a",
        b"<<: 1",
    ),
    *(b"{{ lookup('pipe', '", b"[1:999999999]", b"%", b"'", b'"', b"\n", b"\r", b":", b"=", b",", b"0x" + b"f" * 9000),
)


def spoil(data: st.DataObject, text: bytes) -> bytes:
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        middle = data.draw(st.one_of(st.sampled_from(INTERESTING), st.binary(max_size=6)))
        text = text[:start] + middle + text[end:]
    return text


def read(path: Path) -> None:
    for attempt in (lambda: load_inventory([str(path)]), lambda: ansible_sources([str(path)])):
        with contextlib.suppress(UsageError):
            str(attempt()).encode()


@pytest.mark.field("08")
@pytest.mark.parametrize("name", ["hosts", "hosts.ini", "hosts.yml", "hosts.json"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    read(path)


@pytest.mark.field("08")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kubekey.yaml", KUBEKEY),
        ("kubekey-4.yaml", KUBEKEY_4),
        ("cluster.yml", RKE),
        ("k0sctl.yaml", K0S),
        ("hosts.ini", INI),
        ("hosts.yml", YAML),
    ],
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_spoiled_file(tmp_path: Path, name: str, text: bytes, data: st.DataObject) -> None:
    path = tmp_path / name
    path.write_bytes(spoil(data, text))
    read(path)
