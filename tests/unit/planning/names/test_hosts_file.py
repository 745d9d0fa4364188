"""The block of a node's /etc/hosts: where it is, what it leaves alone, and the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harbor_agent.model.dns import DnsEntry
from harbor_agent.planning.names.hosts_file import describe_own_part, edit_hosts, restore_own_part
from harbor_agent.planning.refusal import RefusedError

ENTRY = DnsEntry(name="harbor.lan", address="192.168.0.99")
OTHER = DnsEntry(name="core.lan", address="fd99::1")
KUBEKEY = (
    b"127.0.0.1 localhost\n\n# kubekey hosts BEGIN\n10.0.0.1 node1.cluster.local node1\n# kubekey hosts END\n"
    b"# Ansible inventory hosts BEGIN\n10.0.0.1 node1\n# Ansible inventory hosts END\n"
)
OURS = b"# BEGIN harbor-agent\n192.168.0.99 harbor.lan\n# END harbor-agent\n"
FILES = [
    KUBEKEY,
    b"",
    b"127.0.0.1 localhost",
    b"127.0.0.1 localhost\n\n\n",
    b"# \xe4\xf6\r\n::1 a\r\n",
    KUBEKEY + b"# x",
]


@pytest.mark.parametrize("content", FILES)
def test_adding_and_removing_leads_back_to_the_same_bytes(content: bytes) -> None:
    first = edit_hosts(content, [ENTRY])
    assert first.startswith(content)
    assert edit_hosts(first, [ENTRY]) == first
    both = edit_hosts(first, [OTHER])
    assert b"192.168.0.99 harbor.lan\nfd99::1 core.lan\n" in both
    assert edit_hosts(both, [], [OTHER.name]) == first
    assert edit_hosts(first, [], [ENTRY.name, "unknown.lan"]) == content


def test_the_block_is_last_and_stays_where_it_is() -> None:
    assert edit_hosts(KUBEKEY, [ENTRY]) == KUBEKEY + OURS
    moved = OURS + KUBEKEY
    changed = edit_hosts(moved, [replace(ENTRY, address="192.168.0.98")])
    assert changed == OURS.replace(b".99", b".98") + KUBEKEY


def test_a_line_of_another_program_with_the_address_suffices() -> None:
    content = b"192.168.0.99 Harbor.LAN. # by hand\n"
    assert edit_hosts(content, [ENTRY]) == content
    assert edit_hosts(content + OURS, [ENTRY]) == content + OURS, "the name stays when the other line goes"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"192.168.0.98 x harbor.lan\n", "192.168.0.98"),
        (b"192.168.0.99 harbor.lan\n::1 harbor.lan\n", "address ::1"),
        (b"10.0.0.1 harbor.lan\n" + OURS, "10.0.0.1"),
    ],
)
def test_another_address_is_never_overwritten(content: bytes, words: str) -> None:
    with pytest.raises(RefusedError) as caught:
        edit_hosts(content, [ENTRY])
    assert caught.value.problem.code == "hosts-entry-differs"
    assert words in caught.value.problem.message


def test_a_block_whose_entry_somebody_deleted_goes_too() -> None:
    assert edit_hosts(KUBEKEY + b"# BEGIN harbor-agent\n# END harbor-agent\n", [], ["harbor.lan"]) == KUBEKEY


def test_what_was_appended_to_a_file_without_a_last_line_end_stays() -> None:
    written = edit_hosts(b"127.0.0.1 localhost", [ENTRY])
    appended = b"# kubekey hosts BEGIN\n10.0.0.1 node1\n# kubekey hosts END\n"
    assert edit_hosts(written + appended, [ENTRY]) == written + appended
    assert edit_hosts(written + appended, [], [ENTRY.name]) == b"127.0.0.1 localhost" + appended


def test_only_what_others_write_about_our_names_counts_for_drift() -> None:
    recorded = describe_own_part(KUBEKEY + OURS)
    assert recorded is not None
    assert describe_own_part(OURS + KUBEKEY + b"10.0.0.2 node2\n192.168.0.99 harbor.lan\n") == recorded
    assert describe_own_part(KUBEKEY + OURS + b"10.0.0.9 harbor.lan\n") != recorded
    assert describe_own_part(KUBEKEY + OURS.replace(b".99", b".98")) != recorded
    assert describe_own_part(KUBEKEY) is None


def test_a_rollback_keeps_what_others_wrote_since() -> None:
    written = edit_hosts(KUBEKEY, [ENTRY])
    assert restore_own_part(written, KUBEKEY) == KUBEKEY
    added = b"10.0.0.2 node2\n"
    assert restore_own_part(written + added, KUBEKEY) == KUBEKEY + added
    assert restore_own_part(KUBEKEY + added, written) == KUBEKEY + added + OURS
