"""What docs/reference/inventories.md shows of variables and limits is what they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harbor_agent.inventory.load import load_inventory
from harbor_agent.planning.config.merge import merge
from harbor_agent.planning.config.schema import parse_host_variables

TEXT = (Path(__file__).resolve().parents[3] / "docs/reference/inventories.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return str(text)


def test_variables_of_a_group_and_of_a_host(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/kube_node.yml").write_text(block("yaml"), encoding="utf-8")
    (tmp_path / "hosts").write_text("[kube_node]\nnode6\n" + block("ini"), encoding="utf-8")

    wanted, skipped = load_inventory([str(tmp_path / "hosts")])

    policy = merge([parse_host_variables(wanted.variables, wanted.name)])
    assert [(registry.address.entry, registry.presence) for registry in policy.registries] == [
        ("192.168.0.99", "present"),
        ("harbor-old.lan:8080", "absent"),
    ]
    assert skipped.skip_reason == "runs Harbor itself"


@pytest.mark.parametrize("limit", re.findall(r"`([^`\n]+)`", TEXT.partition("### --limit")[2].partition("##")[0])[:4])
def test_limits(tmp_path: Path, limit: str) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("[kube_control_plane]\nnode1\n[kube_node]\nnode[1:8]\n", encoding="utf-8")

    assert load_inventory([str(hosts)], limit=limit)
