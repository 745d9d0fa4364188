"""hosts.toml means what a containerd of the node's version makes of it (measured on 1.5 to 2.3)."""

from __future__ import annotations

import pytest

from harbor_agent.formats.containerd.hosts import distrust, read_hosts, render_hosts, trust
from harbor_agent.formats.text import FormatError
from harbor_agent.model.address import Address

HARBOR = Address.parse("192.168.0.99")
OLD, NEW = (1, 7, 24), (2, 1, 9)
OURS = b'server = "http://192.168.0.99"\n\n[host."http://192.168.0.99"]\n  capabilities = ["pull", "resolve"]\n'
HOST = b'[host."http://192.168.0.99"]\n'


def is_plain(content: bytes, version: tuple[int, ...], address: Address = HARBOR) -> bool:
    return read_hosts(content, version).is_plain(address)


@pytest.mark.parametrize(
    ("content", "old", "new"),
    [
        (OURS, True, True),
        (HOST, True, True),
        (b'server = "https://192.168.0.99"\n' + HOST, True, True),
        (b'server = "http://192.168.0.99"\n', False, True),
        (b'server = "http://192.168.0.99:80"\n' + HOST.replace(b'99"', b'99:80"'), True, True),
        (b'host = {"http://192.168.0.99" = {}}\n', True, False),
        (HOST + b'capabilities = ["pull"]\n', False, False),
        (HOST + b'capabilities = ["pull", "resolve", "fly"]\n', False, False),
        (HOST.replace(b"http://", b"HTTP://"), False, False),
        (HOST.replace(b"http://", b""), False, False),
        (HOST.replace(b'99"', b'99:5000"'), False, False),
        (b"\xef\xbb\xbf" + OURS, True, False),
        (b"", False, False),
    ],
)
def test_a_file_means_what_the_version_makes_of_it(content: bytes, *, old: bool, new: bool) -> None:
    assert is_plain(content, OLD) is old
    assert is_plain(content, NEW) is new


def test_the_file_is_the_one_that_is_right_on_every_version() -> None:
    assert render_hosts(HARBOR).encode() == OURS


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize(
    "before",
    [
        b'server = "https://192.168.0.99"\n[host."https://192.168.0.99"]\n  skip_verify = true\n',
        b'# mirror\r\nserver = "https://192.168.0.99"\r\n\r\n[host."https://m.lan"]\r\n  capabilities = ["pull"]\r\n',
    ],
)
def test_a_file_gets_the_registry_and_loses_it_byte_for_byte(before: bytes, version: tuple[int, ...]) -> None:
    after = trust(before, HARBOR, version)
    assert is_plain(after, version)
    assert distrust(after, HARBOR, version) == before


def test_capabilities_that_are_missing_are_added() -> None:
    after = trust(HOST + b'capabilities = ["pull", "push"]\n', HARBOR, OLD)
    assert b'capabilities = ["pull", "push", "resolve"]' in after


def test_a_host_table_on_one_line_is_left_to_a_person() -> None:
    with pytest.raises(FormatError):
        trust(b'host = {"https://mirror.lan" = {}}\n', HARBOR, NEW)


def test_nothing_is_left_of_our_own_file() -> None:
    assert distrust(OURS, HARBOR, OLD) is None


def test_ipv6_and_ports_are_compared() -> None:
    address = Address.parse("[fd00::1]:5000")
    content = render_hosts(address).encode()
    assert is_plain(content, NEW, address)
    assert not is_plain(content, NEW, Address.parse("[fd00::1]"))
