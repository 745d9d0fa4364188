"""Every printed document is what its JSON Schema describes: no member is missing, and none is unknown to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harbor_agent.engine.diagnosis.report import Diagnosis, DiagnosisReport, DiagnosisStatus, Source
from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
from harbor_agent.engine.host_keys import TrustReport
from harbor_agent.engine.plan.nodes import PlannedNode
from harbor_agent.engine.plan.run_plan import RunPlan
from harbor_agent.engine.reports.report import Report
from harbor_agent.engine.request.request import RunRequest
from harbor_agent.engine.schedule.status import InstalledSchedule, LastRun
from harbor_agent.engine.secrets.commands import ManagedSecret
from harbor_agent.engine.secrets.report import SecretItem, SecretsReport
from harbor_agent.engine.workloads.manifests import ManifestFile
from harbor_agent.engine.workloads.scan import WorkloadsReport
from harbor_agent.errors import ExitCode, Problem
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import FileChange, Refusal
from harbor_agent.model.policy import Policy
from harbor_agent.model.result import NodeResult, Outcome, Step, StepTime
from harbor_agent.model.runs import PastNode, PastRun, Quarantine, RunKind
from harbor_agent.model.secret import SecretAction, SecretPlan, ServiceAccountResult
from harbor_agent.model.state import FileState
from harbor_agent.model.workloads.template import PodContainer, PodTemplate, Workload
from harbor_agent.planning.drift import DriftStatus, EntryDrift, FileDrift, NodeDrift
from harbor_agent.planning.secrets.manifests import AnnotatedWorkload
from harbor_agent.planning.secrets.retention import Retention, SecretRetention
from harbor_agent.transport.ssh.host_keys import HostKey, KeyStatus
from harbor_agent.views.json.diagnosis import build_diagnosis_document
from harbor_agent.views.json.drift import build_drift_document
from harbor_agent.views.json.error import build_error_document
from harbor_agent.views.json.history import build_runs_document
from harbor_agent.views.json.host_keys import build_trust_document
from harbor_agent.views.json.plan import build_plan_document
from harbor_agent.views.json.run import build_run_document
from harbor_agent.views.json.schedules import build_schedules_document
from harbor_agent.views.json.secrets import build_secret_document, build_secrets_document
from harbor_agent.views.json.workloads import build_manifests_document, build_workloads_document
from harbor_agent.views.notification.document import Origin, build_run_notification

SCHEMAS = {
    schema["$id"]: schema
    for path in sorted((Path(__file__).resolve().parents[4] / "docs/schemas").glob("*.json"))
    for schema in [json.loads(path.read_text(encoding="utf-8"))]
}
PROBLEM = Problem(code="docker-absent", message="there is no Docker", hint="install it")
NODE = Node(name="node1", address="node1")
POLICY = Policy(registries=())
CHANGE = FileChange(
    before=FileState(path="/etc/docker/daemon.json"),
    after=FileState(path="/etc/docker/daemon.json", kind="regular", content=b"{}\n", mode=0o644, uid=0, gid=0),
    reason="it is the file that dockerd reads",
)
REFUSED = PlannedNode(
    node=NODE,
    policy=POLICY,
    outcome=Outcome.REFUSED,
    decision=Refusal(node="node1", runtime="docker", problem=PROBLEM, changes=(CHANGE,), warnings=(PROBLEM,)),
    problem=PROBLEM,
)
SKIPPED = PlannedNode(node=NODE, policy=POLICY, outcome=Outcome.SKIPPED, reason="runs Harbor itself")
SECRETS = SecretsReport(
    items=(
        SecretItem(
            registry="h.lan",
            result=SecretPlan(
                namespace="demo",
                name="harbor-pull",
                outcome=Outcome.PENDING,
                action=SecretAction.UPDATE,
                differences=("password changed",),
                service_accounts=(ServiceAccountResult(name="default", outcome=Outcome.SKIPPED, problem=PROBLEM),),
            ),
        ),
    ),
    warnings=(PROBLEM,),
)
PLAN = RunPlan(request=RunRequest(), general=POLICY, nodes=(REFUSED, SKIPPED), secrets=SECRETS, warnings=(PROBLEM,))
RUN = Report(
    run_id="run-1",
    results=(
        NodeResult(
            node="node1",
            outcome=Outcome.FAILED,
            problem=PROBLEM,
            reason="there is no Docker",
            steps=(StepTime(step=Step.VALIDATE, seconds=0.5),),
        ),
    ),
    secrets=SECRETS,
    halted="1 failed",
    exit_code=ExitCode.FAILED,
    warnings=(PROBLEM,),
)
DRIFT = DriftReport(
    request=RunRequest(),
    general=POLICY,
    nodes=(
        DriftedNode(
            planned=REFUSED,
            status=DriftStatus.DRIFT,
            reason="a file was edited",
            drift=NodeDrift(
                status=DriftStatus.DRIFT,
                reason="a file was edited",
                files=(FileDrift(path="/etc/docker/daemon.json", recorded="a" * 64, found="absent"),),
                entries=(EntryDrift(entry="h.lan", where="file", wanted=True),),
                added_arguments=("--debug",),
            ),
            problem=PROBLEM,
            quarantine=Quarantine(node="node1", since="2026-11-24T06:09:06+00:00", path="/x", reason="again"),
        ),
        DriftedNode(planned=SKIPPED, status=DriftStatus.SKIPPED, reason="runs Harbor itself"),
    ),
    warnings=(PROBLEM,),
)
WORKLOAD = Workload(
    kind="Deployment",
    namespace="demo",
    name="web",
    template=PodTemplate(containers=(PodContainer(name="c", image="h.lan/a"),), pull_secrets=("harbor-pull",)),
)
PAST = PastRun(
    run_id="run-1",
    kind=RunKind.ROLLBACK,
    tool="harbor-agent 0",
    started="2026-11-24T06:09:06+00:00",
    who="ops@ctl",
    options='{"selection": {}, "flags": {}, "config": null, "repair": false, "root": null, "docker_version": null, '
    '"note": ""}',
    rolls_back="run-0",
    nodes=(PastNode(node="node1", policy_digest="d"),),
)
SCHEDULE = InstalledSchedule(
    unit="harbor-agent-drift",
    is_enabled=True,
    is_active=True,
    is_running=False,
    when="hourly",
    user="ops",
    command="harbor-agent drift",
    next_run=None,
    last_run=LastRun(ended_at="2026-11-24T06:09:06+00:00", exit_code=0, result="success"),
)
MANIFEST = ManifestFile(
    path="web.yaml",
    before=FileState(path="web.yaml"),
    after=FileState(path="web.yaml"),
    outcome=Outcome.PENDING,
    workloads=(
        AnnotatedWorkload(
            before=WORKLOAD,
            after=WORKLOAD,
            line=1,
            path="spec.template",
            changed_containers=("c",),
            warnings=(PROBLEM,),
        ),
    ),
    warnings=(PROBLEM,),
)
SCAN = WorkloadsReport(
    retentions=(SecretRetention(workload=WORKLOAD, status=Retention.INCOMPLETE, missing=("c",)),), problems=(PROBLEM,)
)
KEYS = TrustReport(
    keys=(HostKey(host="192.168.0.2", known_as="192.168.0.2", nodes=("node1",), status=KeyStatus.UNREACHABLE),)
)
DIAGNOSIS = DiagnosisReport(
    source=Source.POD,
    subject="demo/web",
    diagnoses=(
        Diagnosis(
            status=DiagnosisStatus.FAILED,
            image="h.lan/shop/web:1",
            registry="h.lan",
            node="node1",
            container="app",
            problem=PROBLEM,
            said="unauthorized",
            facts=("secret pull does not exist",),
        ),
        Diagnosis(status=DiagnosisStatus.FINE),
    ),
    warnings=(PROBLEM,),
)
DOCUMENTS = {
    "harbor-agent/diagnosis/2": build_diagnosis_document(DIAGNOSIS),
    "harbor-agent/drift/2": build_drift_document(DRIFT, 7, RUN, PROBLEM),
    "harbor-agent/error/2": build_error_document(PROBLEM, ExitCode.USAGE),
    "harbor-agent/manifests/2": build_manifests_document([MANIFEST]),
    "harbor-agent/notification/2": build_run_notification(RUN, Origin(command="apply", controller="ops@ctl")),
    "harbor-agent/plan/2": build_plan_document(PLAN, 5),
    "harbor-agent/run/2": build_run_document(RUN),
    "harbor-agent/runs/2": build_runs_document([PAST]),
    "harbor-agent/schedules/2": build_schedules_document([SCHEDULE]),
    "harbor-agent/secret/2": build_secret_document(SECRETS, 1),
    "harbor-agent/secrets/2": build_secrets_document(
        [ManagedSecret(namespace="demo", name="harbor-pull", registry="h.lan", username="robot")]
    ),
    "harbor-agent/trust/2": build_trust_document(KEYS),
    "harbor-agent/workloads/2": build_workloads_document(SCAN),
}
# They have tests of their own, such as tests/unit/cli/test_plan_files.py and tests/cluster/test_dns.py.
ELSEWHERE = {
    "harbor-agent/config-check/2",
    "harbor-agent/merged-run/2",
    "harbor-agent/plan-file/2",
    "harbor-agent/dns/2",
}


def closed(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Return the schema with every member forbidden that it does not name."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: closed(part) for name, part in schema.items()}
    return {"additionalProperties": False, **parts} if "properties" in parts and "required" in parts else parts


def test_every_schema_has_a_document_here() -> None:
    assert DOCUMENTS.keys() | ELSEWHERE == SCHEMAS.keys()
    assert {identity.rpartition("/")[2] for identity in SCHEMAS} == {"2"}


@pytest.mark.parametrize("identity", DOCUMENTS)
def test_a_document_is_what_its_schema_describes(identity: str) -> None:
    document = json.loads(json.dumps(DOCUMENTS[identity]))
    assert document["schema"] == identity
    Draft202012Validator(closed(SCHEMAS[identity])).validate(document)


def test_a_refused_node_activates_nothing() -> None:
    refused, skipped = json.loads(json.dumps(DOCUMENTS["harbor-agent/plan/2"]))["nodes"]
    assert (refused["activation"], refused["code"], refused["hypothetical"]) == (None, "docker-absent", True)
    assert (skipped["activation"], skipped["code"], skipped["reason"]) == (None, None, "runs Harbor itself")
    assert (refused["files"][0]["before"], refused["files"][0]["after"]["mode"]) == (None, "0644")
