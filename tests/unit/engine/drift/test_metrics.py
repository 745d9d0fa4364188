"""The metrics of a drift run, read back by the parser of the Prometheus client."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from harbor_agent.engine.dns.report import DnsReport, ServerReport
from harbor_agent.engine.drift.dns import DnsDrift, DriftedServer
from harbor_agent.engine.drift.metrics.file import read_past, render_metrics, write_metrics
from harbor_agent.engine.drift.metrics.summary import Past
from harbor_agent.engine.drift.secrets import DriftedSecret, SecretsDrift
from harbor_agent.engine.request.expiry import CertificateEnd
from harbor_agent.errors import Problem
from harbor_agent.model.address import Address
from harbor_agent.model.daemon import UnitState
from harbor_agent.model.dns import ConfigMapState, DnsPlan, DnsServer, ServerKind
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import Quarantine
from harbor_agent.model.runtimes.containerd import ContainerdState
from harbor_agent.model.state import NodeState, System
from harbor_agent.planning.drift import DriftStatus
from tests.unit.engine.drift.metrics import NASTY, corrected, drifted, measured, report, series, value

if TYPE_CHECKING:
    from pathlib import Path


def test_certificates_have_their_end_by_registry_and_kind() -> None:
    address = Address.parse("https://harbor.lan:8443")
    ends = (("ca", 1_900_000_000), ("served", 1_800_000_000))
    certificates = tuple(
        CertificateEnd(address=address, kind=kind, ends=datetime.fromtimestamp(seconds, UTC))  # type: ignore[arg-type]
        for kind, seconds in ends
    )
    text = render_metrics("site", measured(report=replace(report(), certificates=certificates)), past=Past())
    name, found = "certificate_not_after_timestamp_seconds", series(text)
    assert [value(found, name, registry="harbor.lan:8443", kind=kind) for kind, _ in ends] == [1.9e9, 1.8e9]


def test_nodes_are_counted_by_their_status_after_the_run() -> None:
    nodes = report(
        drifted("a", DriftStatus.IN_SYNC),
        drifted("b", DriftStatus.DRIFT),
        drifted("c", DriftStatus.DRIFT),
        drifted("d", DriftStatus.DRIFT, is_quarantined=True),
    )
    ended = corrected({"b": Outcome.CHANGED, "c": Outcome.ROLLED_BACK})
    found = series(render_metrics("site", measured(1, report=nodes, correction=ended), past=Past(last_success=7)))
    assert {status.value: value(found, "drift_nodes", status=status.value) for status in DriftStatus} == {
        **dict.fromkeys(DriftStatus, 0.0),
        "in_sync": 2,
        "drift": 2,
    }
    assert value(found, "drift_node_status", node="b", status="in_sync") == 1
    assert value(found, "drift_node_status", node="c", status="drift") == 1
    assert value(found, "drift_corrections", outcome="changed") == 1
    assert value(found, "drift_corrections", outcome="rolled_back") == 1
    assert value(found, "drift_corrections", outcome="failed") == 0
    assert value(found, "drift_quarantined_nodes") == 1
    assert value(found, "drift_node_quarantined", node="d") == 1
    assert value(found, "drift_exit_code") == 1
    assert value(found, "drift_duration_seconds") == 1.5
    assert value(found, "drift_last_run_timestamp_seconds") == 1000
    assert value(found, "drift_last_success_timestamp_seconds") == 7


def test_a_node_has_its_runtime_and_the_outcome_of_its_correction() -> None:
    reached, silent = drifted("a", DriftStatus.DRIFT), drifted("b", DriftStatus.UNREACHABLE)
    state = NodeState(system=System(), runtimes=(ContainerdState(unit=UnitState(name="containerd.service")),))
    reached = replace(reached, planned=replace(reached.planned, state=state))
    ended = corrected({"a": Outcome.CHANGED})
    found = series(
        render_metrics("site", measured(4, report=report(reached, silent), correction=ended), past=Past(last_success=7))
    )
    assert value(found, "drift_node_status", node="a", runtime="containerd", status="in_sync") == 1
    assert value(found, "drift_node_status", node="b", status="unreachable") == 1
    assert value(found, "drift_node_corrected", node="a", runtime="containerd", outcome="changed") == 1
    assert [name for name, _ in found].count("drift_node_corrected") == 1


def test_a_run_without_nodes_writes_no_series_rather_than_zeros() -> None:
    found = series(render_metrics("site", measured(2), past=Past()))
    assert value(found, "drift_exit_code") == 2
    assert not [name for name, _ in found if "node" in name or "success" in name]


def test_nodes_are_counted_by_runtime() -> None:
    state = NodeState(system=System(), runtimes=(ContainerdState(unit=UnitState(name="containerd.service")),))
    nodes = [drifted(name, DriftStatus.DRIFT) for name in "abc"]
    nodes[:2] = [replace(one, planned=replace(one.planned, state=state)) for one in nodes[:2]]
    found = series(render_metrics("site", measured(3, report=report(*nodes)), past=Past()))
    assert value(found, "drift_runtime_nodes", runtime="containerd", status="drift") == 2
    assert value(found, "drift_runtime_nodes", runtime="", status="drift") == 1


def since(file: Path) -> dict[str, int]:
    return dict(read_past(file).drifted_since)


def test_drift_has_an_age_from_the_first_run_that_found_it_to_its_correction(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    node, other = drifted(NASTY, DriftStatus.DRIFT), drifted("b", DriftStatus.DRIFT)
    name = NASTY.replace("\udcff", "\\udcff")
    write_metrics(file, measured(3, ended_at=1000, report=report(node)))
    assert since(file) == {name: 1000}
    write_metrics(file, measured(3, ended_at=2000, report=report(node, other)))
    assert since(file) == {name: 1000, "b": 2000}
    # a run that reads no node, or not this one, knows of no correction
    write_metrics(file, measured(2, ended_at=3000))
    silent = drifted(NASTY, DriftStatus.UNREACHABLE)
    write_metrics(file, measured(4, ended_at=4000, report=report(silent, drifted("b", DriftStatus.IN_SYNC))))
    assert since(file) == {name: 1000}
    ended = corrected({NASTY: Outcome.ROLLED_BACK})
    write_metrics(file, measured(1, ended_at=5000, report=report(node), correction=ended))
    assert since(file) == {name: 1000}
    ended = corrected({NASTY: Outcome.CHANGED})
    write_metrics(file, measured(0, ended_at=6000, report=report(node), correction=ended))
    assert since(file) == {}
    write_metrics(file, measured(3, ended_at=7000, report=report(node)))
    assert since(file) == {name: 7000}


def test_a_clock_that_had_jumped_ahead_makes_no_drift_that_is_yet_to_begin(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    node = drifted("a", DriftStatus.DRIFT)
    write_metrics(file, measured(3, ended_at=9_000_000_000, report=report(node)))
    write_metrics(file, measured(3, ended_at=2000, report=report(node)))
    assert since(file) == {"a": 2000}


def test_what_the_cluster_has_is_counted_after_the_run() -> None:
    since_ = "2026-11-24T06:09:06+00:00"
    quarantine = Quarantine(node="secret/shop/pull", since=since_, path="", reason="again")
    secrets = SecretsDrift(
        secrets=(
            DriftedSecret(registry="h", name="pull", namespace="shop", status=DriftStatus.DRIFT, quarantine=quarantine),
            DriftedSecret(registry="h", name="pull", namespace="demo", status=DriftStatus.IN_SYNC),
        )
    )
    plans = [
        DnsPlan(server=DnsServer(kind=kind, config=ConfigMapState(namespace="kube-system", name=name, data={})))
        for kind, name in ((ServerKind.COREDNS, "coredns"), (ServerKind.NODE_CACHE, "nodelocaldns"))
    ]
    servers = [
        ServerReport(name=f"workload/{plan.server.config.name}", plan=plan, outcome=Outcome.PENDING) for plan in plans
    ]
    drift = DnsDrift(
        report=DnsReport(servers=tuple(servers)),
        servers=(
            DriftedServer(server=servers[0], status=DriftStatus.DRIFT),
            DriftedServer(server=servers[1], status=DriftStatus.DRIFT, quarantine=quarantine),
        ),
    )
    ended = replace(corrected({}), dns=DnsReport(servers=(replace(servers[0], outcome=Outcome.CHANGED),)))
    whole = replace(report(), secrets=secrets, dns=drift)
    found = series(render_metrics("site", measured(5, report=whole, correction=ended), past=Past()))
    assert value(found, "drift_quarantined_pull_secrets") == 1
    assert value(found, "drift_pull_secret_quarantined", namespace="shop", secret="pull") == 1
    assert value(found, "drift_dns_servers", status="in_sync") == 1
    assert value(found, "drift_dns_servers", status="drift") == 1
    labels = {"server": "workload/coredns", "config_map": "kube-system/coredns"}
    assert value(found, "drift_dns_server_status", status="in_sync", **labels) == 1
    assert value(found, "drift_dns_corrections", outcome="changed") == 1
    labels = {"server": "workload/nodelocaldns", "config_map": "kube-system/nodelocaldns"}
    assert value(found, "drift_dns_server_quarantined", **labels) == 1
    unread = Problem(code="cluster-unreachable", message="no")
    whole = replace(
        whole, secrets=SecretsDrift(problem=unread), dns=DnsDrift(report=DnsReport(servers=(), problem=unread))
    )
    found = series(render_metrics("site", measured(1, report=whole), past=Past()))
    assert not [name for name, _ in found if "pull_secret" in name or "dns" in name]


def test_any_node_name_is_read_back_unchanged() -> None:
    text = render_metrics(
        NASTY, measured(3, report=report(drifted(NASTY, DriftStatus.DRIFT))), past=Past(last_success=1)
    )
    names = {dict(labels)["node"] for name, labels in series(text) if name == "drift_node_status"}
    shown = NASTY.replace("\udcff", "\\udcff")
    assert names == {shown}
    assert {dict(labels)["fleet"] for _, labels in series(text)} == {shown}


def test_help_texts_do_not_differ_between_files_of_one_collector() -> None:
    def helps(text: str) -> dict[str, str]:
        return {family.name: family.documentation for family in text_string_to_metric_families(text)}

    one = helps(
        render_metrics("a", measured(3, report=report(drifted("x", DriftStatus.DRIFT))), past=Past(last_success=1))
    )
    other = helps(render_metrics("b", measured(75), past=Past()))
    assert other.items() <= one.items()
