"""The block of a node's /etc/hosts: where it is, what refuses it, and the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harbor_agent.model.dns import DnsEntry
from harbor_agent.planning.dns.node_hosts import HostsState, plan_hosts_file
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
    state = HostsState(content=content)
    first = plan_hosts_file(state, [ENTRY])
    assert first.startswith(content)
    assert plan_hosts_file(HostsState(content=first), [ENTRY]) == first
    both = plan_hosts_file(HostsState(content=first), [OTHER])
    assert b"192.168.0.99 harbor.lan\nfd99::1 core.lan\n" in both
    assert plan_hosts_file(HostsState(content=both), [], [OTHER.name]) == first
    assert plan_hosts_file(HostsState(content=first), [], [ENTRY.name, "unknown.lan"]) == content


def test_the_block_is_last_and_stays_where_it_is() -> None:
    after = plan_hosts_file(HostsState(content=KUBEKEY), [ENTRY])
    assert after == KUBEKEY + OURS
    moved = OURS + KUBEKEY
    changed = plan_hosts_file(HostsState(content=moved), [replace(ENTRY, address="192.168.0.98")])
    assert changed == OURS.replace(b".99", b".98") + KUBEKEY


def test_a_line_of_another_program_with_the_address_suffices() -> None:
    content = b"192.168.0.99 Harbor.LAN. # by hand\n"
    assert plan_hosts_file(HostsState(content=content, link="../x"), [ENTRY]) == content


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ({"content": b"192.168.0.98 x harbor.lan\n"}, "hosts-entry-differs", "192.168.0.98"),
        ({"content": b"192.168.0.99 harbor.lan\n::1 harbor.lan\n"}, "hosts-entry-differs", "address ::1"),
        ({"link": "/run/hosts"}, "hosts-not-regular", "a symbolic link to /run/hosts"),
        ({"is_mount": True}, "hosts-not-regular", "a mount"),
        ({"cloud_init": {"/etc/cloud/cloud.cfg": "a: 1\nmanage_etc_hosts: True # x\n"}}, "hosts-managed", "cloud.cfg"),
        ({"cloud_init": {"/x": "manage_etc_hosts: 'template'\n"}}, "hosts-managed", "template"),
        ({"cloud_init": {"/x": "manage_etc_hosts: localhost\n# manage_etc_hosts: true\n"}}, "", ""),
        ({"nsswitch": "hosts: dns\n"}, "hosts-not-read", "'hosts: dns'"),
        ({"nsswitch": "hosts: dns [!UNAVAIL=return] files\n"}, "hosts-not-read", "for harbor.lan"),
        ({"nsswitch": "hosts: dns [NOTFOUND=return] files\n"}, "hosts-not-read", ""),
        ({"nsswitch": "passwd: files\nhosts: files dns # x\n"}, "", ""),
        ({"nsswitch": "hosts:\tdns files\n"}, "", ""),
        ({"nsswitch": "hosts: resolve [!UNAVAIL=return] files dns\n"}, "", ""),
        ({"nsswitch": "hosts: mdns4_minimal [NOTFOUND=return] files dns\n"}, "", ""),
        ({"nsswitch": "passwd: files\n"}, "", ""),
    ],
)
def test_a_change_without_effect_is_refused(state: dict[str, object], code: str, words: str) -> None:
    built = HostsState(**{"content": KUBEKEY, **state})  # type: ignore[arg-type]
    if not code:
        assert plan_hosts_file(built, [ENTRY]) == KUBEKEY + OURS
        return
    with pytest.raises(RefusedError) as caught:
        plan_hosts_file(built, [ENTRY])
    assert (caught.value.problem.code, words in caught.value.problem.message) == (code, True), caught.value.problem
    assert caught.value.problem.hint
