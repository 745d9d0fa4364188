"""The pull secret's payload, manifest and patch, byte for byte."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.formats.pull_secret import (
    ObservedSecret,
    build_annotations,
    build_manifest,
    build_patch,
    build_payload,
    build_registry_key,
    mask_login,
    render_manifest,
)
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.secret import SecretSpec
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
    return build_payload(wanted.address, wanted.credentials, wanted.key_form)


@pytest.mark.parametrize(
    ("address", "kubesphere", "plain", "insecure"),
    [
        ("192.168.0.99", "http://192.168.0.99", "192.168.0.99", True),
        ("http://Harbor.LAN:8080/", "http://Harbor.LAN:8080", "Harbor.LAN:8080", True),
        ("https://harbor.lan", "https://harbor.lan", "harbor.lan", False),
        ("[fd00::1]:5000", "http://[fd00::1]:5000", "[fd00::1]:5000", True),
        ("docker.io", "https://index.docker.io/v1/", "https://index.docker.io/v1/", False),
    ],
)
def test_key_and_annotation(address: str, kubesphere: str, plain: str, *, insecure: bool) -> None:
    assert build_registry_key(Address.parse(address), "kubesphere") == kubesphere
    assert build_registry_key(Address.parse(address), "plain") == plain
    assert build_annotations(spec(address)) == (INSECURE if insecure else {})
    assert build_annotations(spec(address, "plain")) == {}
    assert build_annotations(replace(spec(address), force_insecure=True)) == INSECURE


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
    manifest = yaml.safe_load(render_manifest(spec(), "demo"))
    assert manifest == build_manifest(spec(), "demo")
    assert manifest["metadata"] == {
        "name": "harbor-pull",
        "namespace": "demo",
        "labels": OURS,
        "annotations": INSECURE,
    }
    assert manifest["type"] == TYPE
    assert base64.b64decode(manifest["data"][".dockerconfigjson"]) == payload_of(spec())


def test_patch_drops_an_annotation_that_is_no_longer_right() -> None:
    observed = ObservedSecret(type=TYPE, payload=payload_of(spec("old.lan")), labels=OURS, annotations=INSECURE)
    patch = build_patch(spec("https://new.lan"), observed)
    assert patch["metadata"] == {"annotations": {"secret.kubesphere.io/force-insecure": None}}


def test_what_a_server_echoes_is_masked() -> None:
    wanted = spec(password="canary")
    echo = f"denied: {base64.b64encode(payload_of(wanted)).decode()} canary cm9ib3QkazhzOmNhbmFyeQ=="
    assert mask_login(echo, wanted) == "denied: *** *** ***"
