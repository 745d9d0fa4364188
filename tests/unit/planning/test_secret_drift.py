"""Drift of one pull secret: against what a person applied, without its password."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harbor_agent.errors import Problem
from harbor_agent.formats.pull_secret import (
    FORCE_INSECURE,
    SECRET_TYPE,
    ObservedSecret,
    build_annotations,
    build_payload,
)
from harbor_agent.formats.secret_record import RECORD, ObjectIdentity, build_record
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import Namespaces, SecretScope, SecretSpec, ServiceAccountResult
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.planning.drift import DriftStatus
from harbor_agent.planning.secret_drift import ObservedPlace, SecretDrift, classify_secret

SPEC = SecretSpec(
    name="harbor-pull",
    address=Address.parse("http://harbor.lan"),
    credentials=Credentials(username="robot$pull", password=Sensitive("canary")),
    service_accounts=("default",),
)
FORM = SPEC.form
SCOPE = SecretScope(
    server="https://10.0.0.1:6443",
    registry="harbor.lan",
    name="harbor-pull",
    namespaces=Namespaces(names=("shop",)),
    form=FORM,
    username="robot$pull",
    run_id="run-1",
)
IDENTITY = ObjectIdentity(namespace="shop", name="harbor-pull", uid="1")
PAYLOAD = build_payload(SPEC.address, SPEC.credentials, "kubesphere")
WRITTEN = ObservedSecret(
    type=SECRET_TYPE,
    payload=PAYLOAD,
    annotations={**build_annotations(SPEC), RECORD: build_record(IDENTITY, PAYLOAD)},
    identity=IDENTITY,
)
THEIRS = replace(WRITTEN, identity=replace(IDENTITY, uid="2"))


def account(outcome: Outcome = Outcome.UNCHANGED, problem: Problem | None = None) -> ServiceAccountResult:
    return ServiceAccountResult(name="default", outcome=outcome, problem=problem)


def classify(
    observed: ObservedSecret | None,
    *accounts: ServiceAccountResult,
    scope: SecretScope | None = SCOPE,
    is_known: bool = True,
) -> SecretDrift:
    place = ObservedPlace(namespace="shop", name="harbor-pull", observed=observed, accounts=accounts or (account(),))
    return classify_secret(place, FORM, scope, is_known=is_known)


def test_what_is_as_it_was_applied_is_in_sync() -> None:
    assert classify(WRITTEN) == SecretDrift(status=DriftStatus.IN_SYNC, reason="as applied in run run-1")


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (None, "the secret is missing"),
        (replace(WRITTEN, payload=PAYLOAD.replace(b"canary", b"edited")), "its content was changed since"),
        (replace(WRITTEN, payload=None), "it has no login for http://harbor.lan"),
        (replace(WRITTEN, type="Opaque"), "its type is Opaque"),
        (
            replace(WRITTEN, annotations={RECORD: WRITTEN.annotations[RECORD]}),
            f"annotation {FORCE_INSECURE} was removed",
        ),
    ],
)
def test_a_secret_that_differs_has_drifted(observed: ObservedSecret | None, reason: str) -> None:
    found = classify(observed)
    assert (found.status, found.problem) == (DriftStatus.DRIFT, None)
    assert found.reason.startswith(reason)


def test_a_service_account_that_no_longer_names_it_is_drift_and_one_that_cannot_be_read_is_not_in_sync() -> None:
    found = classify(WRITTEN, account(Outcome.PENDING))
    assert (found.status, found.reason) == (DriftStatus.DRIFT, "service account default does not name the secret")
    problem = Problem(code="service-account-forbidden", message="no right")
    found = classify(WRITTEN, account(Outcome.SKIPPED, problem))
    assert (found.status, found.problem) == (DriftStatus.FAILED, problem)


def test_other_settings_than_the_applied_ones_wait_for_a_person() -> None:
    earlier = replace(SCOPE, form=replace(FORM, service_accounts=()))
    assert classify(WRITTEN, scope=earlier).status is DriftStatus.PENDING
    found = classify(None, scope=earlier)
    assert (found.status, found.problem and found.problem.code) == (DriftStatus.DRIFT, "drift-not-approved")


@pytest.mark.parametrize(
    ("observed", "is_known", "status"),
    [
        (WRITTEN, False, DriftStatus.IN_SYNC),
        (None, False, DriftStatus.UNMANAGED),
        (None, True, DriftStatus.PENDING),
    ],
)
def test_a_namespace_that_nothing_was_applied_to_never_drifts(
    observed: ObservedSecret | None, status: DriftStatus, *, is_known: bool
) -> None:
    assert classify(observed, scope=None, is_known=is_known).status is status


def test_a_secret_of_another_owner_is_compared_by_its_key_and_never_corrected() -> None:
    edited = replace(THEIRS, payload=PAYLOAD.replace(b"canary", b"edited"))
    assert classify(edited).status is DriftStatus.IN_SYNC
    found = classify(replace(THEIRS, payload=b'{"auths": {}}'))
    assert (found.status, found.problem and found.problem.code) == (DriftStatus.DRIFT, "drift-secret-not-ours")
