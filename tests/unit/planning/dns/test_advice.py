from __future__ import annotations

import pytest

from harbor_agent.local.resolver import is_in_dns
from harbor_agent.model.address import Address
from harbor_agent.planning.dns.advice import advise_dns_entry, build_coredns_block, build_nodelocaldns_block

HARBOR = Address.parse("harbor.lan:8080")


def test_block_answers_the_name_and_is_marked() -> None:
    block = build_coredns_block("harbor.lan", "192.168.0.99")
    assert block.startswith("# BEGIN harbor-agent harbor.lan\nharbor.lan:53 {\n")
    assert block.endswith("}\n# END harbor-agent harbor.lan\n")
    assert "        192.168.0.99 harbor.lan\n" in block
    assert block.count("{") == block.count("}")


def test_build_nodelocaldns_block_has_no_hosts_plugin() -> None:
    block = build_nodelocaldns_block("harbor.lan", listen="169.254.20.10", cluster_dns="10.96.0.10")
    assert "hosts" not in block
    assert "    bind 169.254.20.10\n    forward . 10.96.0.10 {\n" in block


def test_advice_holds_both_blocks_with_what_the_node_resolves() -> None:
    advice = advise_dns_entry(HARBOR, ("10.0.0.7",), in_dns=False)
    assert advice
    assert advice.code == "registry-name-not-in-dns"
    assert build_coredns_block("harbor.lan", "10.0.0.7") in advice.hint
    assert build_nodelocaldns_block("harbor.lan") in advice.hint


@pytest.mark.parametrize("address", ["192.168.0.99", "[fd00::1]", "docker.io"])
def test_no_advice_where_there_is_no_name(address: str) -> None:
    assert advise_dns_entry(Address.parse(address), (), in_dns=False) is None


@pytest.mark.parametrize("in_dns", [True, None])
def test_no_advice_where_dns_knows_or_is_not_known(*, in_dns: bool | None) -> None:
    assert advise_dns_entry(HARBOR, (), in_dns=in_dns) is None


def test_hosts_file_does_not_count_as_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_in_dns("localhost") is not True
    monkeypatch.setenv("PATH", "/nonexistent")
    assert is_in_dns("localhost") is None
