"""What a refused login has to do with the pod's pull secrets; tests/cluster has pods of a real API server."""

from __future__ import annotations

import json

from harbor_agent.engine.diagnosis.pod import add_secrets
from harbor_agent.engine.diagnosis.report import Diagnosis, DiagnosisStatus
from harbor_agent.errors import Problem
from harbor_agent.formats.pull_secret import SECRET_TYPE, ObservedSecret
from harbor_agent.model.address import Address
from harbor_agent.model.workloads.pod import ObservedPod

REFUSED = Diagnosis(
    status=DiagnosisStatus.FAILED,
    image="h.lan/shop/web:1",
    registry="h.lan",
    problem=Problem(code="pull-unauthorized", message="h.lan refuses", hint="check"),
)
POD = ObservedPod(namespace="demo", name="web", service_account="builder")


def secret(**auths: object) -> ObservedSecret:
    return ObservedSecret(type=SECRET_TYPE, payload=json.dumps({"auths": auths}).encode())


def add(known: Address | None = None, **secrets: ObservedSecret | Problem | None) -> tuple[str, str, tuple[str, ...]]:
    found = add_secrets(REFUSED, POD, secrets, known)
    assert found.problem is not None
    return found.problem.code, found.problem.hint, found.facts


def test_a_pod_without_a_secret() -> None:
    code, hint, facts = add()
    assert (code, facts) == ("pod-without-login", ())
    assert "secret apply --registry h.lan -n demo --service-account builder" in hint


def test_a_secret_that_does_not_exist_and_one_for_another_registry() -> None:
    code, _, facts = add(gone=None, other=secret(**{"other.lan": {"auth": "x"}}))
    assert code == "pod-without-login"
    assert facts == ("secret gone does not exist", "secret other has a login for other.lan only, none for h.lan")


def test_a_login_that_the_registry_refuses() -> None:
    login = {"username": "robot$shop", "password": "Cha0tic", "auth": "Q2hhMHRpYw=="}
    code, hint, facts = add(pull=secret(**{"http://h.lan": login}))
    assert code == "pull-unauthorized"
    assert "--username 'robot$shop'" in hint
    assert facts == ("secret pull has the login of user 'robot$shop' for h.lan",)
    assert "Cha0tic" not in hint
    assert "Q2hh" not in hint + "".join(facts)


def test_a_secret_that_may_not_be_read_proves_nothing() -> None:
    code, hint, facts = add(pull=Problem(code="cluster-forbidden", message="not allowed"))
    assert (code, hint, facts) == ("pull-unauthorized", "check", ())


def test_the_command_has_the_scheme_of_the_settings() -> None:
    _, hint, _ = add(Address.parse("https://h.lan"))
    assert "--registry https://h.lan -n demo" in hint
