"""What is done to a pull secret that the cluster holds already, and what is left alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harbor_agent.formats.pull_secret import ObservedSecret, build_payload
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
OURS = {"app.kubernetes.io/managed-by": "harbor-agent"}
INSECURE = {"secret.kubesphere.io/force-insecure": "true"}


def spec(address: str = "192.168.0.99", key_form: KeyForm = "kubesphere") -> SecretSpec:
    login = Credentials(username="robot$k8s", password=Sensitive("Harbor12345"), email="ops@example.org")
    return SecretSpec(name="harbor-pull", address=Address.parse(address), credentials=login, key_form=key_form)


def payload_of(wanted: SecretSpec) -> bytes:
    return build_payload(wanted.address, wanted.credentials, wanted.key_form)


def test_nothing_there_is_created() -> None:
    plan = plan_secret_write(spec(), "demo", None)
    assert (plan.outcome, plan.action) == (Outcome.PENDING, SecretAction.CREATE)


@pytest.mark.parametrize("labels", [OURS, {}])
def test_equal_is_left_alone_whoever_made_it(labels: dict[str, str]) -> None:
    indented = json.dumps(json.loads(payload_of(spec())), indent=2, sort_keys=True).encode()
    observed = ObservedSecret(type=TYPE, payload=indented, labels=labels, annotations=INSECURE)
    assert plan_secret_write(spec(), "demo", observed).is_empty


@pytest.mark.parametrize("payload", [None, b"", b"nonsense", b"[]", b"{}", b'{"auths":7}', b"\xff"])
def test_payload_that_is_none_is_replaced(payload: bytes | None) -> None:
    observed = ObservedSecret(type=TYPE, payload=payload, annotations=INSECURE)
    plan = plan_secret_write(spec(), "demo", observed)
    assert (plan.outcome, plan.action) == (Outcome.PENDING, SecretAction.UPDATE)


def test_key_form_alone_is_a_difference() -> None:
    observed = ObservedSecret(type=TYPE, payload=payload_of(spec(key_form="plain")), labels=OURS)
    plan = plan_secret_write(spec(), "demo", observed)
    assert plan.differences == (
        "registry key becomes http://192.168.0.99",
        "annotation secret.kubesphere.io/force-insecure set",
    )


def test_ours_may_move_to_another_registry() -> None:
    observed = ObservedSecret(type=TYPE, payload=payload_of(spec("old.lan")), labels=OURS, annotations=INSECURE)
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
    observed = ObservedSecret(type=TYPE, payload=json.dumps(document).encode(), labels=OURS, annotations=INSECURE)
    plan = plan_secret_write(spec(), "demo", observed)
    assert plan.differences == differences
    assert "canary" not in repr(plan)


def removal_of(observed: ObservedSecret | None, address: str = "192.168.0.99") -> SecretPlan:
    return plan_secret_removal("harbor-pull", "demo", Address.parse(address), observed, ("default",))


def test_ours_is_removed_and_detached() -> None:
    plan = removal_of(ObservedSecret(type=TYPE, payload=payload_of(spec()), labels=OURS))
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
    plan = removal_of(ObservedSecret(type=TYPE, payload=payload_of(spec("new.lan")), labels=OURS))
    assert plan.outcome is Outcome.SKIPPED
    assert plan.service_accounts == ()
    assert plan.problem
    assert plan.problem.code == "secret-of-another-registry"
