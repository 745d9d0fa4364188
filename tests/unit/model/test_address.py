"""The address of a registry: normalised, or refused with the reason."""

from __future__ import annotations

import pytest

from harbor_agent.errors import UsageError
from harbor_agent.model.address import Address


@pytest.mark.parametrize(
    ("text", "entry", "url"),
    [
        ("192.168.0.99", "192.168.0.99", "http://192.168.0.99"),
        ("192.168.0.99:80", "192.168.0.99:80", "http://192.168.0.99:80"),
        ("HTTP://Harbor.LAN/", "Harbor.LAN", "http://Harbor.LAN"),
        ("https://harbor.lan:8443/", "harbor.lan:8443", "https://harbor.lan:8443"),
        ("[FD00::1]:5000", "[FD00::1]:5000", "http://[FD00::1]:5000"),
        ("fd00:0::1", "[fd00:0::1]", "http://[fd00:0::1]"),
        ("docker.io", "docker.io", "https://index.docker.io"),
        ("http://index.docker.io/", "docker.io", "https://index.docker.io"),
    ],
)
def test_keeps_the_spelling_that_dockerd_compares(text: str, entry: str, url: str) -> None:
    address = Address.parse(text)
    assert (address.entry, address.url) == (entry, url)
    assert Address.parse(address.entry if address.scheme == "http" or address.is_docker_hub else address.url) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://h/path", "no path"),
        ("10.0.0.0/8", "range"),
        ("h:0", "port"),
        ("h:65536", "port"),
        ("h:", "port"),
        ("ftp://h", "scheme ftp"),
        ("300.1.1.1", "IPv4"),
        ("[::1", "brackets"),
        ("a b", "host name"),
        ("harbor_prod.lan:5000", "underscore"),
        ("harbor.lan.", "host name"),
        ("*.lan", "host name"),
        ("a.lan:5000,b.lan:5000", "IPv6"),
        ("10.0.0.0/33", "no path"),
        ("", "empty"),
    ],
)
def test_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        Address.parse(text)
    assert caught.value.problem.hint


@pytest.mark.parametrize("scheme", ["http://", "", "ftp://"])
@pytest.mark.parametrize("login", ["admin:hunter2", "admin:hunter2/x", "admin:x/hunter2", "admin:x@hunter2"])
def test_a_password_in_an_address_is_refused_and_not_repeated(scheme: str, login: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address.parse(f"{scheme}{login}@harbor.lan")
    assert "hunter2" not in str(caught.value.problem)
    assert "@harbor.lan" in str(caught.value.problem)


@pytest.mark.parametrize(
    ("text", "needed"), [("harbor.lan", True), ("https://harbor.lan", False), ("docker.io", False)]
)
def test_only_plain_http_needs_a_change_on_the_node(text: str, *, needed: bool) -> None:
    assert Address.parse(text).needs_node_change is needed


@pytest.mark.parametrize("text", ["host.lan/project", "10.0.0.0/33", "a.lan:1,b.lan:2", "$NAME", "harbor_prod.lan", ""])
def test_an_entry_that_is_not_an_address_can_be_removed_as_it_is_written(text: str) -> None:
    assert Address.parse_removal(text).entry == text


@pytest.mark.parametrize("text", ["10.0.0.0/8", "admin:hunter2@harbor.lan/x"])
def test_a_range_and_a_login_are_refused_for_removal_too(text: str) -> None:
    with pytest.raises(UsageError):
        Address.parse_removal(text)
