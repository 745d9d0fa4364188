"""The way back from a run on the cluster's DNS: from hashes and annotations, to the same bytes or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.dns import ABSENT, ConfigMapState, DnsEntry, DnsServer, ServerKind, hash_text
from harbor_agent.model.runs import PastConfigMap
from harbor_agent.planning.dns.past.rollback import plan_dns_rollback
from harbor_agent.planning.dns.plan import plan_dns
from harbor_agent.planning.dns.record import ANNOTATION, read_record

if TYPE_CHECKING:
    from harbor_agent.model.dns import DnsPlan

TEXT = ".:53 {\n    errors\n    forward . 9.9.9.9\n    reload\n}\n"
HOSTS = TEXT.replace(
    "    errors\n", "    errors\n    hosts {\n        10.0.0.1 other.lan\n        fallthrough\n    }\n"
)
HARBOR = DnsEntry(name="harbor.lan", address="192.168.0.99")
MOVED = DnsEntry(name="harbor.lan", address="192.168.0.98")


def server(text: str, **facts: object) -> DnsServer:
    config = ConfigMapState(namespace="kube-system", name="coredns", data={"Corefile": text}, uid="1")
    return DnsServer(kind=ServerKind.COREDNS, config=config, **facts)  # type: ignore[arg-type]


def carry_out(one: DnsServer, plan: DnsPlan) -> DnsServer:
    """The server after the plan, as it is read again."""
    for change in plan.changes:
        after = replace(change.after, uid="2") if change.after else None
        is_config = change.before.name == one.config.name
        one = replace(one, config=after) if is_config and after else replace(one, custom=after)
    return one


def remember(plan: DnsPlan) -> list[PastConfigMap]:
    """What the history keeps of a plan that was carried out."""
    return [
        PastConfigMap(
            server="deployment/coredns",
            namespace=change.before.namespace,
            name=change.before.name,
            before=change.before_hash,
            after=change.after_hash,
            record_before=change.before.annotations.get(ANNOTATION, ""),
            record_after=change.after.annotations.get(ANNOTATION, "") if change.after else "",
        )
        for change in plan.changes
    ]


@pytest.mark.parametrize(
    "text",
    [TEXT, HOSTS, HOSTS.replace("\n", "\r\n"), f"{TEXT}import /etc/coredns/custom/*.server\n", TEXT[:-1]],
    ids=["directive", "line", "crlf", "custom", "no last line end"],
)
def test_the_way_back_from_an_addition_leads_to_the_same_bytes(text: str) -> None:
    before = server(text)
    plan = plan_dns(before, [HARBOR])
    after = carry_out(before, plan)
    back = plan_dns_rollback(after, remember(plan))
    assert back.refusal is None
    found = carry_out(after, back)
    assert (found.config.data, found.config.annotations, found.custom) == (before.config.data, {}, None)


def test_a_removal_and_another_address_are_brought_back() -> None:
    first = carry_out(server(HOSTS), plan_dns(server(HOSTS), [HARBOR]))
    for plan in (plan_dns(first, [], ["harbor.lan"]), plan_dns(first, [MOVED])):
        after = carry_out(first, plan)
        back = plan_dns_rollback(after, remember(plan))
        assert back.refusal is None
        assert carry_out(after, back).config.data == first.config.data


def test_nothing_is_done_twice() -> None:
    before = server(TEXT)
    assert plan_dns_rollback(before, remember(plan_dns(before, [HARBOR]))).changes == ()


def test_a_text_that_is_not_the_one_of_the_run_is_left_alone() -> None:
    before = server(TEXT)
    plan = plan_dns(before, [HARBOR])
    after = carry_out(before, plan)
    edited = replace(after, config=replace(after.config, data={"Corefile": f"# x\n{after.config.data['Corefile']}"}))
    refusal = plan_dns_rollback(edited, remember(plan)).refusal
    assert refusal
    assert (refusal.code, "was changed after the run" in refusal.message) == ("rollback-edited", True)


def test_a_way_that_does_not_lead_to_the_text_from_before_is_refused() -> None:
    before = server(TEXT)
    plan = plan_dns(before, [HARBOR])
    past = [replace(one, before="0" * 64) for one in remember(plan)]
    refusal = plan_dns_rollback(carry_out(before, plan), past).refusal
    assert refusal
    assert "cannot be brought back" in refusal.message


def test_the_record_has_the_hash_of_the_text_and_a_created_configmap_none_from_before() -> None:
    plan = plan_dns(server(TEXT), [HARBOR])
    (change,) = plan.changes
    assert change.after
    (recorded,) = read_record(change.after)
    assert recorded.digest == hash_text(change.after.data["Corefile"])
    (created,) = plan_dns(server(f"{TEXT}import /etc/coredns/custom/*.server\n"), [HARBOR]).changes
    assert created.before_hash == ABSENT
