"""The alerting rules and the dashboard name what a drift run writes, and promtool reads them."""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from harbor_agent.engine.dns.report import DnsReport, ServerReport
from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
from harbor_agent.engine.drift.dns import DnsDrift, DriftedServer
from harbor_agent.engine.drift.metrics.file import render_metrics
from harbor_agent.engine.drift.metrics.summary import DriftRunSummary, Past
from harbor_agent.engine.drift.secrets import DriftedSecret, SecretsDrift
from harbor_agent.engine.plan.nodes import PlannedNode
from harbor_agent.engine.reports.report import Report
from harbor_agent.engine.request.expiry import CertificateEnd
from harbor_agent.engine.request.request import RunRequest
from harbor_agent.engine.secrets.report import SecretItem, SecretsReport
from harbor_agent.errors import ExitCode
from harbor_agent.model.address import Address
from harbor_agent.model.daemon import UnitState
from harbor_agent.model.dns import ConfigMapState, DnsPlan, DnsServer, ServerKind
from harbor_agent.model.inventory import Node
from harbor_agent.model.policy import Policy
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.model.runs import Quarantine
from harbor_agent.model.runtimes.containerd import ContainerdState
from harbor_agent.model.secret import SecretResult
from harbor_agent.model.state import NodeState, System
from harbor_agent.planning.drift import DriftStatus
from tests.needs import GRAFANA_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs/guides/prometheus"
RULES = yaml.safe_load((FOLDER / "rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
TEXT = (FOLDER / "rules.test.yml").read_text(encoding="utf-8")
NAMES = sorted({rule["alert"] for rule in RULES})
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"]}
LEAST_ALERTS, LEAST_PANELS, GRID_COLUMNS = 18, 15, 24
# Prometheus adds these to what it scrapes.
ADDED = {"instance", "job"}
VALUES = {
    "status": set(DriftStatus),
    "outcome": set(Outcome) - {Outcome.PENDING},
    "kind": {"ca", "served"},
}


@cache
def written() -> dict[str, set[str]]:
    """The labels of each metric, in the file of a run that had something of everything."""
    policy, name = Policy(registries=()), "node1"
    planned = PlannedNode(
        node=Node(name=name, address=name),
        policy=policy,
        outcome=Outcome.PENDING,
        state=NodeState(system=System(), runtimes=(ContainerdState(unit=UnitState(name="containerd.service")),)),
    )
    quarantine = Quarantine(node=name, since="2026-11-24T06:09:06+00:00", path="/x", reason="again")
    node = DriftedNode(planned=planned, status=DriftStatus.DRIFT, reason="", quarantine=quarantine)
    secret = DriftedSecret(
        registry="harbor.lan", name="pull", namespace="shop", status=DriftStatus.DRIFT, quarantine=quarantine
    )
    corrected = SecretResult(namespace="shop", name="pull", outcome=Outcome.FAILED)
    certificate = CertificateEnd(address=Address.parse("https://harbor.lan"), kind="ca", ends=datetime.now(UTC))
    config = ConfigMapState(namespace="kube-system", name="coredns", data={})
    plan = DnsPlan(server=DnsServer(kind=ServerKind.COREDNS, config=config))
    server = ServerReport(name="deployment/coredns", plan=plan, outcome=Outcome.FAILED)
    drifted = DriftedServer(server=server, status=DriftStatus.DRIFT, quarantine=quarantine)
    dns = DnsDrift(report=DnsReport(servers=(server,)), servers=(drifted,))
    report = DriftReport(request=RunRequest(), general=policy, nodes=(node,))
    report = replace(report, secrets=SecretsDrift(secrets=(secret,)), certificates=(certificate,), dns=dns)
    correction = Report(
        run_id="run",
        results=(NodeResult(node=name, outcome=Outcome.FAILED),),
        secrets=SecretsReport(items=(SecretItem(registry="harbor.lan", result=corrected),)),
        halted=None,
        exit_code=ExitCode.FAILED,
        dns=DnsReport(servers=(server,)),
    )
    summary = DriftRunSummary(exit_code=1, ended_at=1000.0, seconds=1.5, report=report, correction=correction)
    labels: dict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(render_metrics("site", summary, Past(last_success=1))):
        for sample in family.samples:
            labels[sample.name] |= set(sample.labels)
    return labels


def selectors(text: str) -> list[tuple[str, dict[str, set[str]]]]:
    """Each metric of ours in an expression, with the values that it is compared with by label."""
    return [
        (name, {label: set(values.split("|")) for label, values in re.findall(r'(\w+)[=!]~?"([^"]*)"', inside or "")})
        for name, inside in re.findall(r"\b(harbor_agent_\w+)(?:\{([^}]*)\})?", text)
    ]


def assert_written(text: str) -> None:
    found = selectors(text)
    assert found
    for name, labels in found:
        assert name in written(), f"no run writes {name}"
        assert set(labels) <= written()[name] | ADDED, f"{name} has no such label"
        for label, values in labels.items():
            assert values <= VALUES.get(label, values), f"{label} has no such value in {name}"


def run_promtool(*arguments: str, folder: Path = FOLDER) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def expressions(title: str) -> list[str]:
    """The expressions of a panel, with all fleets chosen."""
    return [target["expr"].replace("$fleet", ".*") for target in PANELS[title]["targets"]]


def test_the_alerts_and_panels_are_found() -> None:
    assert len(NAMES) >= LEAST_ALERTS
    assert len(PANELS) == len(DASHBOARD["panels"]) >= LEAST_PANELS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_names_what_a_run_writes(rule: dict[str, Any]) -> None:
    assert_written(rule["expr"])
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    names = {name for name, _ in selectors(rule["expr"])}
    assert used <= set().union(*(written()[name] for name in names)) | ADDED


def test_the_tests_of_the_alerts_use_what_a_run_writes() -> None:
    for test in yaml.safe_load(TEXT)["tests"]:
        for one in test["input_series"]:
            assert_written(one["series"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_leads_to_a_page(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    code = re.fullmatch(r"docs/runbooks/([a-z0-9-]+)\.md", page)
    explain = {"explain": f"harbor-agent explain {code[1]}"} if code else {}
    others = {name: text for name, text in rule["annotations"].items() if name not in {"summary", "description"}}
    assert others == {"runbook": rule["annotations"]["runbook"], **explain}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"]
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert not anchor or anchor in {heading.lower().replace(" ", "-").replace("'", "") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_the_text_of_an_alert_is_tested_and_it_is_in_the_guide(name: str) -> None:
    tested = [one for test in yaml.safe_load(TEXT)["tests"] for one in test.get("alert_rule_test", ())]
    assert any(one["alertname"] == name and one["exp_alerts"] for one in tested)
    for guide in ("schedule.md", "schedule.zh.md"):
        assert f"| `{name}` |" in (ROOT / "docs/guides" / guide).read_text(encoding="utf-8")


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("arguments", [("check", "rules", "rules.yml"), ("test", "rules", "rules.test.yml")])
def test_promtool_finds_nothing(arguments: tuple[str, ...]) -> None:
    run_promtool(*arguments)


@pytest.mark.parametrize("title", PANELS)
def test_a_panel_shows_what_a_run_writes(title: str) -> None:
    for target in PANELS[title]["targets"]:
        assert_written(target["expr"])
        assert 'fleet=~"$fleet"' in target["expr"]
        shown = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
        names = {name for name, _ in selectors(target["expr"])}
        assert shown <= set().union(*(written()[name] for name in names))


def test_panels_do_not_overlap() -> None:
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < GRID_COLUMNS


def test_the_choice_of_fleets_is_of_a_metric_that_is_written() -> None:
    (fleet,) = (one for one in DASHBOARD["templating"]["list"] if one["type"] == "query")
    assert_written(fleet["query"]["query"])


@pytest.mark.needs("promtool")
def test_promtool_reads_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": one}
        for number, one in enumerate([one for title in PANELS for one in expressions(title)])
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run_promtool("check", "rules", "rules.yml", folder=tmp_path)


# Of each kind of panel, the types of its options and of its fields.
KINDS = {"stat": "Stat", "bargauge": "BarGauge", "table": "Table", "timeseries": "TimeSeries"}
WITH_FIELDS = {"table", "timeseries"}
TYPES = "@grafana/schema/dist/esm/raw/composable"
# What a value of T is in JSON: a member of an enumeration is its text, and whatever has a default may be left out.
WRITTEN = """\
type Written<T> = T extends string ? `${T}` : T extends (infer Item)[] ? Written<Item>[]
  : T extends object ? { [Key in keyof T]?: Written<T[Key]> } : T;
"""


def list_declarations(dashboard: dict[str, Any]) -> Iterator[str]:
    """The dashboard, and the parts that its type leaves open, as constants of Grafana's types."""
    yield 'import type { Dashboard } from "@grafana/schema";'
    yield f'import type {{ PrometheusDataQuery }} from "{TYPES}/prometheus/dataquery/x/PrometheusDataQuery_types.gen";'
    for kind, name in KINDS.items():
        yield f'import type * as {name} from "{TYPES}/{kind}/panelcfg/x/{name}PanelCfg_types.gen";'
    yield WRITTEN
    yield f"export const dashboard: Written<Dashboard> = {json.dumps(dashboard)};"
    for number, panel in enumerate(dashboard["panels"]):
        name = KINDS[panel["type"]]
        yield f"export const options{number}: Written<{name}.Options> = {json.dumps(panel['options'])};"
        yield f"export const targets{number}: Written<PrometheusDataQuery>[] = {json.dumps(panel['targets'])};"
        if panel["type"] in WITH_FIELDS:
            fields = json.dumps(panel["fieldConfig"]["defaults"]["custom"])
            yield f"export const fields{number}: Written<{name}.FieldConfig> = {fields};"


def run_tsc(folder: Path, dashboard: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Check a dashboard by the types of Grafana; the modules are beside it, where the compiler looks for them."""
    (folder / "node_modules").unlink(missing_ok=True)
    (folder / "node_modules").symlink_to(GRAFANA_SCHEMA)
    (folder / "dashboard.ts").write_text("\n".join(list_declarations(dashboard)), encoding="utf-8")
    compiler = GRAFANA_SCHEMA / "typescript/bin/tsc"
    options = ("--noEmit", "--strict", "--skipLibCheck", "--module", "es2020", "--moduleResolution", "node")
    argv = ["node", str(compiler), *options, "--preserveSymlinks", "dashboard.ts"]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.needs("grafana-schema")
def test_the_dashboard_has_the_types_of_grafana(tmp_path: Path) -> None:
    done = run_tsc(tmp_path, DASHBOARD)
    assert done.returncode == 0, done.stdout
    wrong = json.loads(json.dumps(DASHBOARD))
    wrong["panels"][0]["options"]["colorMode"] = "loud"
    wrong["panels"][1]["targets"][0]["legendFromat"] = "x"
    wrong["graphTooltip"] = 7
    found = run_tsc(tmp_path, wrong).stdout
    assert all(word in found for word in ("loud", "legendFromat", "DashboardCursorSync"))
