from __future__ import annotations

import pytest

from harbor_agent.local.resolver import is_in_dns
from harbor_agent.model.address import Address
from harbor_agent.planning.dns.advice import advise_dns_entry

HARBOR = Address.parse("harbor.lan:8080")


def test_advice_has_the_setting_with_what_the_node_resolves() -> None:
    advice = advise_dns_entry(HARBOR, ("10.0.0.7",), in_dns=False)
    assert advice
    assert advice.code == "registry-name-not-in-dns"
    assert "'resolve: {address: 10.0.0.7}' for harbor.lan:8080" in advice.hint
    assert "harbor-agent dns apply" in advice.hint
    assert "nodes can pull" in advice.message


def test_a_node_that_does_not_resolve_the_name_is_not_said_to_pull() -> None:
    advice = advise_dns_entry(HARBOR, (), in_dns=False)
    assert advice
    assert "nodes can pull" not in advice.message
    assert "pods cannot resolve it" in advice.message


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
