"""The metrics file, read back by the parser of the Prometheus client."""

from __future__ import annotations

import os
import resource
import stat
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harbor_agent.engine.dns.report import DnsReport, ServerReport
from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
from harbor_agent.engine.drift.dns import DnsDrift, DriftedServer
from harbor_agent.engine.drift.metrics.file import parse_metrics_path, read_past, render_metrics, write_metrics
from harbor_agent.engine.drift.metrics.summary import DriftRunSummary, Past
from harbor_agent.engine.drift.secrets import DriftedSecret, SecretsDrift
from harbor_agent.engine.plan.nodes import PlannedNode
from harbor_agent.engine.reports.report import Report
from harbor_agent.engine.request.expiry import CertificateEnd
from harbor_agent.engine.request.request import RunRequest
from harbor_agent.errors import ExitCode, Problem, UsageError
from harbor_agent.model.address import Address
from harbor_agent.model.daemon import UnitState
from harbor_agent.model.dns import ConfigMapState, DnsPlan, DnsServer, ServerKind
from harbor_agent.model.inventory import Node
from harbor_agent.model.policy import Policy
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.model.runs import Quarantine
from harbor_agent.model.runtimes.containerd import ContainerdState
from harbor_agent.model.state import NodeState, System
from harbor_agent.planning.drift import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

POLICY = Policy(registries=())
NASTY = 'a\\b"c\nd\udcff}'
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def drifted(name: str, status: DriftStatus, *, is_quarantined: bool = False) -> DriftedNode:
    planned = PlannedNode(node=Node(name=name, address=name), policy=POLICY, outcome=Outcome.PENDING)
    since = "2026-11-24T06:09:06+00:00"
    quarantine = Quarantine(node=name, since=since, path="/x", reason="again") if is_quarantined else None
    return DriftedNode(planned=planned, status=status, reason="", quarantine=quarantine)


def report(*nodes: DriftedNode) -> DriftReport:
    return DriftReport(request=RunRequest(), general=POLICY, nodes=nodes)


def corrected(outcomes: Mapping[str, Outcome]) -> Report:
    results = tuple(NodeResult(node=node, outcome=outcome) for node, outcome in outcomes.items())
    return Report(run_id="run", results=results, secrets=None, halted=None, exit_code=ExitCode.DONE)


def measured(code: int = 0, ended_at: float = 1000.0, **more: object) -> DriftRunSummary:
    return DriftRunSummary(exit_code=code, ended_at=ended_at, seconds=1.5, **more)  # type: ignore[arg-type]


def series(text: str) -> Series:
    """Every sample by name and labels; none is there twice, none has a time, and every family is described."""
    found: Series = {}
    for family in text_string_to_metric_families(text):
        assert (family.type, bool(family.documentation)) == ("gauge", True), family
        for sample in family.samples:
            key = (sample.name.removeprefix("harbor_agent_"), frozenset(sample.labels.items()))
            assert key not in found
            assert sample.timestamp is None
            found[key] = sample.value
    return found


def value(found: Series, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset({"fleet": "site", **labels}.items())))


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


def test_series_that_no_longer_apply_disappear(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    write_metrics(file, measured(3, report=report(drifted("gone", DriftStatus.DRIFT))))
    write_metrics(file, measured(0, report=report(drifted("stays", DriftStatus.IN_SYNC))))
    text = file.read_text()
    assert "gone" not in text
    assert value(series(text), "drift_nodes", status="drift") == 0


def test_all_users_can_read_the_file_and_no_other_is_left(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        assert write_metrics(tmp_path / "site.prom", measured()) is None
    finally:
        os.umask(before)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    (tmp_path / "site.prom").symlink_to(elsewhere)
    assert write_metrics(tmp_path / "site.prom", measured()) is None
    assert elsewhere.read_text() == "kept"
    assert not (tmp_path / "site.prom").is_symlink()


def success(file: Path) -> float | None:
    return value(series(file.read_text()), "drift_last_success_timestamp_seconds")


@pytest.mark.parametrize("code", [0, 3, 4, 5])
def test_the_last_success_survives_failed_runs(tmp_path: Path, code: int) -> None:
    file = tmp_path / "site.prom"
    write_metrics(file, measured(1, ended_at=500))
    assert success(file) is None
    write_metrics(file, measured(code, ended_at=1000))
    for failed in (1, 2, 6, 7, 70, 75, 143):
        write_metrics(file, measured(failed, ended_at=2000))
        assert success(file) == 1000


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    file.write_text(
        "# TYPE harbor_agent_drift_last_success_timestamp_seconds gauge\n"
        'harbor_agent_drift_last_success_timestamp_seconds{fleet="site"} 1764501000\n'
    )
    assert write_metrics(file, measured(1, ended_at=1764502000)) is None
    assert success(file) == 1764501000


def test_a_clock_that_had_jumped_ahead_does_not_hide_a_later_silence(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    write_metrics(file, measured(0, ended_at=9_000_000_000))
    write_metrics(file, measured(1, ended_at=2000))
    assert success(file) == 2000
    write_metrics(file, measured(1, ended_at=3000))
    assert success(file) == 2000


def test_a_file_of_another_program_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    file.write_bytes(b"\xff harbor_agent_drift_last_success_timestamp_seconds{} x\n")
    assert write_metrics(file, measured(1)) is None
    assert success(file) is None


@contextmanager
def full_disk() -> Iterator[None]:
    """While the block runs this process can write next to nothing into any file, pytest's own included."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_on_a_full_disk_the_file_does_not_change(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    write_metrics(file, measured(0, ended_at=1000))
    before = file.read_text()
    with full_disk():
        problem = write_metrics(file, measured(0, ended_at=2000))
    assert problem is not None
    assert problem.code == "metrics-unwritable"
    assert str(file) in problem.message
    assert file.read_text() == before
    assert list(tmp_path.iterdir()) == [file]


def test_a_missing_directory_is_reported(tmp_path: Path) -> None:
    problem = write_metrics(tmp_path / "nowhere/site.prom", measured())
    assert problem is not None
    assert "no such file or directory" in problem.message


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    file = tmp_path / "site.prom"
    nodes = report(*(drifted(f"node{number}", DriftStatus.IN_SYNC) for number in range(2000)))
    write_metrics(file, measured(0, report=nodes))
    with file.open() as reader:
        write_metrics(file, measured(0, ended_at=time.time(), report=nodes))
        assert reader.read().endswith("\n")
    assert len(file.read_text().splitlines()) > 2000


def test_a_name_that_the_collector_ignores_is_refused() -> None:
    assert parse_metrics_path("/var/lib/x/site.prom").stem == "site"
    with pytest.raises(UsageError, match=r"end in \.prom"):
        parse_metrics_path("/var/lib/x/site.txt")
