"""Inventories that were saved on Windows: with a byte order mark, in GBK, in UTF-16, with control characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.inventory.load import load_inventory
from tests.unit.inventory.loading import refusal

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.field("08")
MARK = b"\xef\xbb\xbf"
KUBEKEY = """\
apiVersion: kubekey.kubesphere.io/v1alpha2
kind: Cluster
spec:
  hosts:
  - {name: node1, address: 10.99.0.12}
  roleGroups:
    etcd: [node1]
"""
COMMENT = "# 本机\n"


def test_a_kubekey_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(MARK + KUBEKEY.replace("\n", "\r\n").encode())

    assert [node.address for node in load_inventory([str(path)])] == ["10.99.0.12"]


def test_gbk_in_the_comments_of_an_ini_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "hosts.ini"
    path.write_bytes(COMMENT.encode("gbk") + b"node1\n")

    assert [node.name for node in load_inventory([str(path)])] == ["node1"]


@pytest.mark.parametrize(
    ("name", "content", "line", "reason"),
    [
        ("config.yaml", (KUBEKEY + COMMENT).encode("gbk"), ":8", "not UTF-8"),
        ("config.yaml", KUBEKEY.encode("utf-16"), "", "not UTF-8"),
        ("config.yaml", KUBEKEY.encode() + b"# \x1b[0m\n", ":8", "control character '\\x1b'"),
        ("hosts.yml", b"all:\n  hosts:\n    node1:\n" + COMMENT.encode("gbk"), ":4", "not UTF-8"),
        ("hosts.yml", "all:\n  hosts:\n    node1:\n".encode("utf-16"), "", "not UTF-8"),
        ("hosts.ini", "[nodes]\nnode1 harbor_skip=本机\n".encode("gbk"), ":2", "not UTF-8"),
        ("hosts.ini", MARK + b"[nodes]\nnode1\n", ":1", "begins with a byte order mark"),
        ("hosts", MARK + b"node1\nnode2\n", ":1", "begins with a byte order mark"),
    ],
)
def test_an_error_names_the_line_and_the_encoding(
    tmp_path: Path, name: str, content: bytes, line: str, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    problem = refusal(str(path))

    assert problem.code == "inventory-unparsable"
    assert problem.message.startswith(f"{path}{line}: ")
    assert reason in problem.message
    assert problem.hint
