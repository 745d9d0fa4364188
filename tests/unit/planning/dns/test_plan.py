"""Which entries are refused, and why; where an entry goes if the Corefile is an unusual one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.dns import ConfigMapState, DnsEntry, DnsServer, ServerKind
from harbor_agent.planning.dns.plan import plan_dns

if TYPE_CHECKING:
    from harbor_agent.errors import Problem
    from harbor_agent.model.dns import DnsPlan

ENTRY = DnsEntry(name="harbor.lan", address="192.168.0.99")
ROOT = ".:53 {\n    errors\n    kubernetes cluster.local\n    forward . /etc/resolv.conf\n    reload\n}\n"
CACHE = (
    "cluster.local:53 {\n    bind 169.254.25.10\n    forward . 10.233.0.3\n    reload\n}\n"
    ".:53 {\n    bind 169.254.25.10\n    forward . /etc/resolv.conf\n}\n"
)


def server(corefile: str, **state: object) -> DnsServer:
    config = ConfigMapState(namespace="kube-system", name="coredns", data={"Corefile": corefile}, uid="1")
    return DnsServer(kind=ServerKind.COREDNS, config=replace(config, **state))  # type: ignore[arg-type]


def cache(version: tuple[int, ...] | None, **known: tuple[str, ...] | None) -> DnsServer:
    return replace(server(CACHE), kind=ServerKind.NODE_CACHE, version=version, **known)  # type: ignore[arg-type]


def refusal(plan: DnsPlan) -> Problem:
    assert plan.refusal
    assert plan.changes == ()
    return plan.refusal


def text_after(plan: DnsPlan) -> str:
    assert plan.refusal is None
    ((change,), key) = plan.changes, "Corefile"
    assert change.after
    return change.after.data[key]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"owners": frozenset({"DNS"})}, "dns-owned-by-operator"),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, "dns-owned-by-helm"),
        ({"annotations": {"meta.helm.sh/release-name": "rke2-coredns"}}, "dns-owned-by-helm"),
        ({"labels": {"addonmanager.kubernetes.io/mode": "Reconcile"}}, "dns-owner-rewrites"),
        ({"data": {"Corefile": ROOT, "NodeHosts": "10.0.0.1 node1\n"}}, "dns-owner-rewrites"),
        ({"data": {"config": ROOT}}, "corefile-invalid"),
    ],
)
def test_an_owner_that_restores_its_own_text_is_refused(state: dict[str, object], code: str) -> None:
    found = refusal(plan_dns(server(ROOT, **state), [ENTRY]))
    assert found.code == code
    assert "kube-system/coredns" in found.message
    assert found.hint


@pytest.mark.parametrize(
    ("corefile", "code", "words"),
    [
        (". {\n errors\n", "corefile-invalid", "key Corefile line 2: the block"),
        (". {\n hosts {\n }\n hosts {\n }\n}\n", "corefile-invalid", "line 4: hosts can only be used once"),
        (".:53 {\n errors\n}\n. {\n log\n}\n", "corefile-invalid", "line 4: .:53 is already defined in line 1"),
        (".:53{\n errors\n}\n", "corefile-invalid", "line 1: '.:53{': a blank is missing"),
        (".:53\nerrors\nlan:53 {\n log\n}\n", "corefile-invalid", ""),
        ("#" + "x" * 200_000, "corefile-invalid", "more than 100 KB"),
        ("lan:53 {\n errors\n}\n", "", ""),
        ("local:53 {\n errors\n}\n", "corefile-unclear", "no server block"),
        ("{$ZONE}:53 {\n errors\n}\n. {\n log\n}\n", "corefile-unclear", "depends on a variable"),
        ("import /etc/more.conf\n. {\n log\n}\n", "corefile-unclear", "import /etc/more.conf"),
        (". {\n import /etc/more/*.conf\n}\n", "corefile-unclear", "import /etc/more/*.conf"),
        ("(h) {\n hosts {\n  1.1.1.1 a\n }\n}\n. {\n import h\n}\n", "corefile-unclear", "snippet"),
        (". {\n hosts /etc/h b.example {\n  fallthrough\n }\n}\n", "corefile-unclear", "answers b.example only"),
        (". {\n hosts { 1.2.3.4 a }\n}\n", "corefile-unclear", "ConfigMap kube-system/coredns, line 2: 'hosts'"),
        (". {\n hosts {\n  1.2.3.4 harbor.lan\n }\n}\n", "dns-entry-of-somebody-else", "1.2.3.4"),
        (". {\n hosts {\n  1.2.3.4 x Harbor.LAN.\n }\n}\n", "dns-entry-of-somebody-else", "1.2.3.4"),
        (". {\n rewrite name harbor.lan a.b\n log\n}\n", "dns-entry-of-somebody-else", "line 2 (rewrite)"),
        (". {\n rewrite stop name suffix .lan .b\n log\n}\n", "dns-entry-of-somebody-else", "line 2 (rewrite)"),
        (". {\n template IN A lan {\n  rcode NXDOMAIN\n }\n}\n", "dns-entry-of-somebody-else", "line 2 (template)"),
        (". {\n template IN A lan {\n  match ^x\n  rcode NXDOMAIN\n }\n}\n", "", ""),
        (". {\n template IN MX lan {\n  rcode NXDOMAIN\n }\n}\n", "", ""),
        (". {\n rewrite name regex (.*)\\.org {1}.lan\n log\n}\n", "", ""),
    ],
)
def test_a_corefile_that_cannot_be_edited_safely_is_refused(corefile: str, code: str, words: str) -> None:
    plan = plan_dns(server(corefile), [ENTRY])
    if not code:
        assert plan.refusal is None, plan.refusal
        assert plan.changes
        return
    assert (refusal(plan).code, words in refusal(plan).message) == (code, True), refusal(plan).message


def test_a_hosts_directive_without_a_body_gets_one() -> None:
    before = ". {\n    hosts /etc/coredns/hosts # of the installer\n    log\n}\n"
    plan = plan_dns(server(before), [ENTRY])
    assert text_after(plan) == (
        ". {\n    hosts /etc/coredns/hosts { # of the installer\n        192.168.0.99 harbor.lan # harbor-agent\n"
        "    }\n    log\n}\n"
    )
    after = replace(plan.server, config=plan.changes[0].after)  # type: ignore[arg-type]
    assert text_after(plan_dns(after, [], [ENTRY.name])) == before


def test_every_listener_of_the_zone_gets_the_entry() -> None:
    text = text_after(
        plan_dns(server(".:53 {\n bind 10.0.0.1\n}\n.:53 {\n bind 10.0.0.2\n}\n.:9053 {\n log\n}\n"), [ENTRY])
    )
    assert text.count("192.168.0.99 harbor.lan") == 2


def test_a_block_of_a_file_that_is_imported_is_edited_there() -> None:
    before = server(ROOT + "import custom/*.server\n")
    custom = ConfigMapState(
        namespace="kube-system", name="coredns-custom", data={"lan.server": "lan {\n    log\n}\n"}, uid="2"
    )
    (change,) = plan_dns(replace(before, custom=custom), [ENTRY]).changes
    assert change.after
    assert (change.before.name, list(change.after.data)) == ("coredns-custom", ["lan.server"])
    assert "192.168.0.99 harbor.lan" in change.after.data["lan.server"]


def test_a_custom_configmap_that_was_created_is_deleted_with_its_last_entry() -> None:
    before = server(ROOT + "import custom/*.server\n")
    (change,) = plan_dns(before, [ENTRY]).changes
    assert change.creates
    assert change.after
    after = replace(before, custom=replace(change.after, uid="2"))
    (removal,) = plan_dns(after, [], [ENTRY.name]).changes
    assert removal.after is None


def test_another_address_replaces_one_of_ours() -> None:
    plan = plan_dns(server(ROOT), [ENTRY])
    after = replace(plan.server, config=plan.changes[0].after)  # type: ignore[arg-type]
    text = text_after(plan_dns(after, [replace(ENTRY, address="192.168.0.98")]))
    assert ("192.168.0.98 harbor.lan" in text, "192.168.0.99" in text, text.count("hosts")) == (True, False, 1)


def test_a_cache_without_hosts_asks_coredns_unless_that_asks_the_cache() -> None:
    elsewhere = plan_dns(cache((1, 15, 8), coredns_upstreams=("10.0.0.53",)), [ENTRY])
    assert "harbor.lan:53 {\n    errors\n    cache 30\n    bind 169.254.25.10\n" in text_after(elsewhere)
    for known in (
        {"coredns_upstreams": ("169.254.25.10:53",)},
        {"coredns_upstreams": ("/etc/resolv.conf",), "node_resolvers": ("169.254.25.10", "10.0.0.53")},
        {"coredns_upstreams": ("/etc/resolv.conf",)},
        {},
    ):
        assert refusal(plan_dns(cache((1, 15, 8), **known), [ENTRY])).code == "dns-would-circle"  # type: ignore[arg-type]
    assert refusal(plan_dns(cache(None), [ENTRY])).code == "corefile-unclear"
    assert "hosts" in text_after(plan_dns(cache((1, 17, 0)), [ENTRY]))


def test_warnings_name_the_owner_and_a_missing_reload() -> None:
    plan = plan_dns(
        server(ROOT.replace("    reload\n", ""), managers=frozenset({"kubectl-client-side-apply"})), [ENTRY]
    )
    assert [warning.code for warning in plan.warnings] == ["dns-owner-will-rewrite", "dns-no-reload"]


def test_an_entry_of_another_program_is_not_removed() -> None:
    found = ". {\n hosts {\n  192.168.0.99 harbor.lan\n }\n}\n"
    assert plan_dns(server(found), [], [ENTRY.name]).changes == ()
