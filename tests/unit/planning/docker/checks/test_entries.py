"""Entries with which dockerd does not start, as dockerd 20.10.24 and 26.1.5 were seen to judge them."""

from __future__ import annotations

import pytest

from harbor_agent.model.address import Address
from harbor_agent.planning.docker.checks.entries import find_entry_fault, names_entry

OLD, RECENT = (20, 10, 24), (26, 1, 5)
REJECTED = (
    "harbor_prod.lan:5000",
    "harbor_prod.lan",
    "host.lan/project",
    "192.168.1.5:5000/",
    "http://192.168.1.5:5000/",
    "",
    "a.lan:5000,b.lan:5000",
    "10.0.0.0/33",
    "10.0.0.0/255.0.0.0",
    "*.lan",
    "ftp://x",
    "harbor.lan:",
    "harbor.lan:99999",
    " harbor.lan",
    "harbor.lan ",
    "harbor.lan.",
    "$NAME",
    "-harbor.lan",
    "harbor.lan-",
    "[fe80::1%eth0]:5000",
)
ACCEPTED = (
    "harbor.lan",
    "Harbor.LAN:5000",
    "localhost:5000",
    "192.168.0.99:80",
    "HTTP://harbor.lan:5000",
    "https://harbor.lan",
    "10.0.0.0/8",
    "10.1.2.3/8",
    "fd00::/8",
    "fd00::99",
    "[fd00::99]:5000",
    "192.168.1.5:",
    "a--b.lan:0",
)


@pytest.mark.field("01")
@pytest.mark.parametrize("version", [OLD, RECENT, None])
@pytest.mark.parametrize("entry", REJECTED)
def test_an_entry_that_dockerd_does_not_start_with_has_a_reason(entry: str, version: tuple[int, int, int]) -> None:
    assert find_entry_fault(entry, version)


@pytest.mark.parametrize("version", [OLD, RECENT, None])
@pytest.mark.parametrize("entry", ACCEPTED)
def test_an_entry_that_dockerd_starts_with_has_none(entry: str, version: tuple[int, int, int]) -> None:
    assert find_entry_fault(entry, version) is None


@pytest.mark.field("01")
def test_ipv6_without_a_port_depends_on_the_version() -> None:
    assert "needs a port" in (find_entry_fault("[fd00::99]", OLD) or "")
    assert find_entry_fault("[fd00::99]", RECENT) is None


def test_before_17_04_only_hyphens_are_judged() -> None:
    assert find_entry_fault("host.lan/project", (1, 13, 1)) is None
    assert find_entry_fault("-host.lan", (1, 13, 1))


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("host.lan/project", "host.lan/project"),
        ("harbor.lan:5000", "http://harbor.lan:5000/"),
        ("harbor.lan:5000", " harbor.lan:5000"),
        ("harbor.lan:5000", "http://harbor.lan:5000"),
        ("Harbor.LAN", "Harbor.LAN"),
        ("a.lan:1,b.lan:2", "a.lan:1,b.lan:2"),
        ("", ""),
    ],
)
def test_a_removal_names_the_entry_and_its_broken_spellings(text: str, entry: str) -> None:
    assert names_entry(Address.parse_removal(text), entry, OLD)


@pytest.mark.parametrize("entry", ["harbor.lan", "Harbor.lan:5000", "harbor.lan:5001", "10.0.0.0/8"])
def test_a_removal_names_no_other_registry(entry: str) -> None:
    assert not names_entry(Address.parse("harbor.lan:5000"), entry, OLD)
