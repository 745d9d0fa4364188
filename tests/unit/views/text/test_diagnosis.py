"""What an operator reads: where, which image, why, what to do, and the words that show it; the same in a report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from harbor_agent.engine.diagnosis.report import Diagnosis, DiagnosisReport, DiagnosisStatus, RegistryView, Source
from harbor_agent.errors import ExitCode, Problem
from harbor_agent.views.json.diagnosis import build_diagnosis_document
from harbor_agent.views.outline.diagnosis import outline_diagnosis
from harbor_agent.views.outline.value import Kind, Verdict
from harbor_agent.views.outline.words import title_group
from harbor_agent.views.text.diagnosis import diagnosis_text

SCHEMA = json.loads((Path(__file__).resolve().parents[4] / "docs/schemas/diagnosis-2.json").read_text())
PROBLEM = Problem(code="pod-without-login", message="no pull secret of pod demo/web has a login", hint="write one")
REPORT = DiagnosisReport(
    source=Source.POD,
    subject="demo/web",
    diagnoses=(
        Diagnosis(
            status=DiagnosisStatus.FAILED,
            image="h.lan/shop/web:1",
            registry="h.lan",
            node="node7",
            container="app",
            problem=PROBLEM,
            said="pull access denied",
            facts=("secret pull does not exist",),
        ),
        Diagnosis(status=DiagnosisStatus.FINE, image="h.lan/shop/log:1", node="node7", container="log"),
    ),
    warnings=(Problem(code="cluster-forbidden", message="not allowed to list events"),),
)


def test_each_container_has_its_block() -> None:
    assert re.sub(r"\x1b\[\d+m", "", diagnosis_text(REPORT)).splitlines() == [
        "demo/web, container app, node node7: h.lan/shop/web:1 not pulled",
        "  no pull secret of pod demo/web has a login [pod-without-login]",
        "  -> write one",
        "  - secret pull does not exist",
        "  seen: pull access denied",
        "demo/web, container log, node node7: h.lan/shop/log:1 pulled",
        "  warning: not allowed to list events [cluster-forbidden]",
        "Images: 1 not pulled, 1 pulled",
    ]


def test_what_the_registry_said_comes_first() -> None:
    seen = RegistryView(registry="h.lan", scheme="http", image="missing", facts=("it says: no such image",))
    report = replace(REPORT, source=Source.IMAGE, registry=seen)
    assert diagnosis_text(report).splitlines()[:2] == [
        "registry h.lan, without a login:",
        "  - it says: no such image",
    ]
    assert ("registry", "it says: no such image") in outline_diagnosis(report).facts
    jsonschema.validate(build_diagnosis_document(report), SCHEMA)


@pytest.mark.parametrize(
    ("unreachable", "code"), [((), ExitCode.DONE), ((True,), ExitCode.UNREACHABLE), ((True, False), ExitCode.FAILED)]
)
def test_nodes_that_do_not_answer_are_told_from_pulls_that_fail(unreachable: tuple[bool, ...], code: ExitCode) -> None:
    fine = Diagnosis(status=DiagnosisStatus.FINE, node="node1")
    wrong = [Diagnosis(status=DiagnosisStatus.UNCLEAR, node="node2", is_unreachable=one) for one in unreachable]
    assert DiagnosisReport(source=Source.IMAGE, diagnoses=(fine, *wrong)).exit_code is code


def test_a_pull_that_waits_is_no_failure() -> None:
    waiting = DiagnosisReport(source=Source.POD, diagnoses=(Diagnosis(status=DiagnosisStatus.WAITING, image="a"),))
    assert (REPORT.exit_code, waiting.exit_code) == (ExitCode.FAILED, ExitCode.DONE)


def test_a_report_has_the_containers_as_items() -> None:
    outline = outline_diagnosis(REPORT)
    assert [(item.name, item.kind, item.verdict) for item in outline.items] == [
        ("app", Kind.CONTAINER, Verdict.FAILURE),
        ("log", Kind.CONTAINER, Verdict.FINE),
    ]
    assert outline.facts == (("pod", "demo/web"),)
    assert "secret pull does not exist" in outline.items[0].remarks
    assert title_group(outline.groups[0]) == "1 container: failed"
