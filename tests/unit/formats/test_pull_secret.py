from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.formats.pull_secret import (
    ObservedSecret,
    dockerconfigjson,
    masked,
    plan_for,
    registry_key,
    secret_annotations,
    secret_manifest,
    secret_manifest_text,
    secret_patch,
)
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import SecretAction, SecretSpec
from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from harbor_agent.model.policy import KeyForm

TYPE = "kubernetes.io/dockerconfigjson"
OURS = {"app.kubernetes.io/managed-by": "harbor-agent"}
INSECURE = {"secret.kubesphere.io/force-insecure": "true"}


def spec(address: str = "192.168.0.99", key_form: KeyForm = "kubesphere", password: str = "Harbor12345") -> SecretSpec:
    login = Credentials(username="robot$k8s", password=Sensitive(password), email="ops@example.org")
    return SecretSpec(name="harbor-pull", address=Address.parse(address), credentials=login, key_form=key_form)


def payload_of(wanted: SecretSpec) -> bytes:
    return dockerconfigjson(wanted.address, wanted.credentials, wanted.key_form)


@pytest.mark.parametrize(
    ("address", "kubesphere", "plain", "insecure"),
    [
        ("192.168.0.99", "http://192.168.0.99", "192.168.0.99", True),
        ("http://Harbor.LAN:8080/", "http://harbor.lan:8080", "harbor.lan:8080", True),
        ("https://harbor.lan", "https://harbor.lan", "harbor.lan", False),
        ("[fd00::1]:5000", "http://[fd00::1]:5000", "[fd00::1]:5000", True),
        ("docker.io", "https://index.docker.io/v1/", "https://index.docker.io/v1/", False),
    ],
)
def test_key_and_annotation(address: str, kubesphere: str, plain: str, *, insecure: bool) -> None:
    assert registry_key(Address.parse(address), "kubesphere") == kubesphere
    assert registry_key(Address.parse(address), "plain") == plain
    assert secret_annotations(spec(address)) == (INSECURE if insecure else {})
    assert secret_annotations(spec(address, "plain")) == {}


def test_payload_is_what_kubectl_and_the_console_write() -> None:
    assert payload_of(spec()) == (
        b'{"auths":{"http://192.168.0.99":{"username":"robot$k8s","password":"Harbor12345",'
        b'"email":"ops@example.org","auth":"cm9ib3QkazhzOkhhcmJvcjEyMzQ1"}}}'
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_password_comes_back(password: str) -> None:
    (login,) = json.loads(payload_of(spec(password=password)))["auths"].values()
    assert login["password"] == password
    assert base64.b64decode(login["auth"]).decode() == f"robot$k8s:{password}"


def test_manifest() -> None:
    manifest = yaml.safe_load(secret_manifest_text(spec(), "demo"))
    assert manifest == secret_manifest(spec(), "demo")
    assert manifest["metadata"] == {
        "name": "harbor-pull",
        "namespace": "demo",
        "labels": OURS,
        "annotations": INSECURE,
    }
    assert manifest["type"] == TYPE
    assert base64.b64decode(manifest["data"][".dockerconfigjson"]) == payload_of(spec())


def test_nothing_there_is_created() -> None:
    plan = plan_for(spec(), "demo", None)
    assert (plan.outcome, plan.action) == (Outcome.CHANGE, SecretAction.CREATE)


@pytest.mark.parametrize("labels", [OURS, {}])
def test_equal_is_left_alone_whoever_made_it(labels: dict[str, str]) -> None:
    indented = json.dumps(json.loads(payload_of(spec())), indent=2, sort_keys=True).encode()
    observed = ObservedSecret(type=TYPE, payload=indented, labels=labels, annotations=INSECURE)
    assert plan_for(spec(), "demo", observed).is_empty


@pytest.mark.parametrize("payload", [None, b"", b"nonsense", b"[]", b"{}", b'{"auths":7}', b"\xff"])
def test_payload_that_is_none_is_replaced(payload: bytes | None) -> None:
    observed = ObservedSecret(type=TYPE, payload=payload, annotations=INSECURE)
    plan = plan_for(spec(), "demo", observed)
    assert (plan.outcome, plan.action) == (Outcome.CHANGE, SecretAction.UPDATE)


def test_key_form_alone_is_a_difference() -> None:
    observed = ObservedSecret(type=TYPE, payload=payload_of(spec(key_form="plain")), labels=OURS)
    plan = plan_for(spec(), "demo", observed)
    assert plan.differences == (
        "registry key becomes http://192.168.0.99",
        "annotation secret.kubesphere.io/force-insecure set",
    )


def test_ours_may_move_to_another_registry() -> None:
    observed = ObservedSecret(type=TYPE, payload=payload_of(spec("old.lan")), labels=OURS, annotations=INSECURE)
    assert plan_for(spec("https://new.lan"), "demo", observed).action is SecretAction.UPDATE
    patch = secret_patch(spec("https://new.lan"), observed)
    assert patch["metadata"] == {"annotations": {"secret.kubesphere.io/force-insecure": None}}


def test_somebody_elses_for_another_registry_is_refused() -> None:
    observed = ObservedSecret(type=TYPE, payload=payload_of(spec("old.lan")), annotations=INSECURE)
    plan = plan_for(spec("new.lan"), "demo", observed)
    assert plan.outcome is Outcome.REFUSED
    assert plan.problem
    assert plan.problem.code == "secret-of-another-owner"


def test_what_a_server_echoes_is_masked() -> None:
    wanted = spec(password="canary")
    echo = f"denied: {base64.b64encode(payload_of(wanted)).decode()} canary cm9ib3QkazhzOmNhbmFyeQ=="
    assert masked(echo, wanted) == "denied: *** *** ***"


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
    plan = plan_for(spec(), "demo", observed)
    assert plan.differences == differences
    assert "canary" not in repr(plan)
