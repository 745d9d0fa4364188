"""What is done to a pull secret that the cluster holds already, and what is left alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harbor_agent.formats.pull_secret import ObservedSecret, build_apply_manifest, build_payload
from harbor_agent.formats.secret_record import RECORD, ObjectIdentity, build_record, has_recorded_content
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import SecretAction, SecretSpec
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.planning.secrets.plan import plan_secret_removal, plan_secret_write

if TYPE_CHECKING:
    from harbor_agent.model.policy import KeyForm
    from harbor_agent.model.secret import SecretPlan

TYPE = "kubernetes.io/dockerconfigjson"
OURS: dict[str, Any] = {
    "labels": {"app.kubernetes.io/managed-by": "harbor-agent"},
    "label_managers": frozenset({"harbor-agent"}),
    "payload_managers": frozenset({"harbor-agent"}),
}
INSECURE = {"secret.kubesphere.io/force-insecure": "true"}


WRITTEN = ObjectIdentity(namespace="demo", name="harbor-pull", uid="1c2b")
RESTORED = replace(WRITTEN, uid="9f8e")


def spec(address: str = "192.168.0.99", key_form: KeyForm = "kubesphere") -> SecretSpec:
    login = Credentials(username="robot$k8s", password=Sensitive("Harbor12345"), email="ops@example.org")
    return SecretSpec(name="harbor-pull", address=Address.parse(address), credentials=login, key_form=key_form)


def payload_of(wanted: SecretSpec) -> bytes:
    return build_payload(wanted.address, wanted.credentials, wanted.key_form)


def test_nothing_there_is_created() -> None:
    plan = plan_secret_write(spec(), "demo", None)
    assert (plan.outcome, plan.action) == (Outcome.PENDING, SecretAction.CREATE)


@pytest.mark.parametrize("owner", [OURS, {}])
def test_equal_is_left_alone_whoever_made_it(owner: dict[str, Any]) -> None:
    indented = json.dumps(json.loads(payload_of(spec())), indent=2, sort_keys=True).encode()
    observed = ObservedSecret(type=TYPE, payload=indented, **owner, annotations=INSECURE)
    assert plan_secret_write(spec(), "demo", observed).is_empty


@pytest.mark.parametrize("payload", [None, b"", b"nonsense", b"[]", b"{}", b'{"auths":7}', b"\xff"])
def test_payload_that_is_none_is_replaced(payload: bytes | None) -> None:
    observed = ObservedSecret(type=TYPE, payload=payload, annotations=INSECURE)
    plan = plan_secret_write(spec(), "demo", observed)
    assert (plan.outcome, plan.action) == (Outcome.PENDING, SecretAction.UPDATE)


def test_key_form_alone_is_a_difference() -> None:
    observed = ObservedSecret(type=TYPE, payload=payload_of(spec(key_form="plain")), **OURS)
    plan = plan_secret_write(spec(), "demo", observed)
    assert plan.differences == (
        "registry key becomes http://192.168.0.99",
        "annotation secret.kubesphere.io/force-insecure set",
    )


def test_ours_may_move_to_another_registry() -> None:
    observed = ObservedSecret(type=TYPE, payload=payload_of(spec("old.lan")), **OURS, annotations=INSECURE)
    assert plan_secret_write(spec("https://new.lan"), "demo", observed).action is SecretAction.UPDATE


def test_somebody_elses_for_another_registry_is_refused() -> None:
    observed = ObservedSecret(type=TYPE, payload=payload_of(spec("old.lan")), annotations=INSECURE)
    plan = plan_secret_write(spec("new.lan"), "demo", observed)
    assert plan.outcome is Outcome.REFUSED
    assert plan.problem
    assert plan.problem.code == "secret-of-another-owner"


@pytest.mark.parametrize(
    ("held", "differences"),
    [
        ({"password": "canary-old"}, ("password changed",)),
        ({"username": "canary", "email": "canary@example.org"}, ("username changed", "email changed")),
        ({"auth": "Y2FuYXJ5"}, ("login changed",)),
    ],
)
def test_what_changed_is_named_without_its_values(held: dict[str, str], differences: tuple[str, ...]) -> None:
    document = json.loads(payload_of(spec()))
    document["auths"]["http://192.168.0.99"] |= held
    observed = ObservedSecret(type=TYPE, payload=json.dumps(document).encode(), **OURS, annotations=INSECURE)
    plan = plan_secret_write(spec(), "demo", observed)
    assert plan.differences == differences
    assert "canary" not in repr(plan)


def removal_of(observed: ObservedSecret | None, address: str = "192.168.0.99") -> SecretPlan:
    return plan_secret_removal("harbor-pull", "demo", Address.parse(address), observed, ("default",))


def test_ours_is_removed_and_detached() -> None:
    plan = removal_of(ObservedSecret(type=TYPE, payload=payload_of(spec()), **OURS))
    assert (plan.outcome, plan.action) == (Outcome.PENDING, SecretAction.REMOVE)
    assert [account.name for account in plan.service_accounts] == ["default"]


def test_without_a_secret_only_what_we_attached_is_taken_back() -> None:
    plan = removal_of(None)
    assert (plan.outcome, plan.action) == (Outcome.UNCHANGED, SecretAction.NONE)
    assert [account.name for account in plan.service_accounts] == ["default"]


def test_somebody_elses_is_not_removed() -> None:
    plan = removal_of(ObservedSecret(type=TYPE, payload=payload_of(spec())))
    assert plan.outcome is Outcome.SKIPPED
    assert plan.problem
    assert plan.problem.code == "secret-not-ours"


def test_ours_that_moved_to_another_registry_stays_attached() -> None:
    plan = removal_of(ObservedSecret(type=TYPE, payload=payload_of(spec("new.lan")), **OURS))
    assert plan.outcome is Outcome.SKIPPED
    assert plan.service_accounts == ()
    assert plan.problem
    assert plan.problem.code == "secret-of-another-registry"


@pytest.mark.field("c09")
@pytest.mark.parametrize(
    "mark",
    [
        {"labels": OURS["labels"], "label_managers": frozenset({"kubectl-create"})},
        {"labels": OURS["labels"], "label_managers": frozenset({"harbor-agent", "kubectl-create"})},
        {"labels": OURS["labels"]},
        {"identity": RESTORED, "annotations": {RECORD: build_record(WRITTEN, b"{}")}, **OURS},
        {"identity": replace(WRITTEN, namespace="clone"), "annotations": {RECORD: build_record(WRITTEN, b"{}")}},
        {"identity": WRITTEN, "annotations": {RECORD: "[1]"}},
    ],
)
def test_a_copy_is_kept_with_the_accounts_that_name_it(mark: dict[str, Any]) -> None:
    observed = ObservedSecret(type=TYPE, payload=payload_of(spec()), **mark)
    plan = removal_of(observed)
    assert plan.outcome is Outcome.SKIPPED
    assert plan.service_accounts == ()
    assert plan.problem
    assert "is a copy that harbor-agent did not create, and is not removed" in plan.problem.message
    manifest = build_apply_manifest(spec(), "demo", observed)
    assert manifest["metadata"] == {"name": "harbor-pull", "namespace": "demo", "annotations": INSECURE}


@pytest.mark.field("c10")
@pytest.mark.parametrize("key", ["192.168.0.99/team-a", "http://192.168.0.99/v2/team-a/", "quay.io"])
@pytest.mark.parametrize("written_by_us", [True, False])
def test_another_login_is_never_dropped_if_others_wrote_it(key: str, *, written_by_us: bool) -> None:
    record = {RECORD: build_record(WRITTEN, payload_of(spec()))} if written_by_us else {}
    document = json.loads(payload_of(spec()))
    document["auths"][key] = {"auth": "Y2FuYXJ5"}
    payload = json.dumps(document).encode()
    observed = ObservedSecret(type=TYPE, payload=payload, identity=WRITTEN, annotations=INSECURE | record)
    plan = plan_secret_write(replace(spec(), force_conflicts=True), "demo", observed)
    assert plan.outcome is Outcome.REFUSED
    assert plan.problem
    assert plan.problem.code == "secret-of-another-owner"
    assert key in plan.problem.message
    assert f"login for {key} removed" in plan.differences
    assert removal_of(observed).outcome is Outcome.SKIPPED


@pytest.mark.parametrize("key", ["https://192.168.0.99", "192.168.0.99/", "http://192.168.0.99/v1/"])
def test_the_same_registry_in_other_words_is_no_other_login(key: str) -> None:
    payload = json.dumps({"auths": {key: {"auth": "Y2FuYXJ5"}}}).encode()
    observed = ObservedSecret(type=TYPE, payload=payload, annotations=INSECURE)
    assert plan_secret_write(spec(), "demo", observed).action is SecretAction.UPDATE


def test_what_we_wrote_last_may_move_to_another_registry_with_its_record() -> None:
    record = {RECORD: build_record(WRITTEN, payload_of(spec("old.lan")))}
    observed = ObservedSecret(type=TYPE, payload=payload_of(spec("old.lan")), identity=WRITTEN, annotations=record)
    assert plan_secret_write(spec("new.lan"), "demo", observed).action is SecretAction.UPDATE
    manifest = build_apply_manifest(spec("new.lan"), "demo", observed)
    written = manifest["metadata"]["annotations"][RECORD]  # type: ignore[index]
    assert has_recorded_content(written, WRITTEN, payload_of(spec("new.lan")))
    assert "Harbor12345" not in written


def test_members_that_kubelet_does_not_read_are_named_when_they_go() -> None:
    document = json.loads(payload_of(spec())) | {"credHelpers": {"gcr.io": "gcloud"}}
    observed = ObservedSecret(type=TYPE, payload=json.dumps(document).encode(), annotations=INSECURE)
    assert plan_secret_write(spec(), "demo", observed).differences == ("credHelpers removed",)
