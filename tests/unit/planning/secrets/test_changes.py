"""The keys that a write would change, without their values."""

from __future__ import annotations

import json

import pytest

from harbor_agent.formats.pull_secret import ObservedSecret
from harbor_agent.model.secret import KeyChange, KeyChangeKind
from harbor_agent.planning.secrets.changes import list_changes

TYPE = "kubernetes.io/dockerconfigjson"
LOGIN = {"username": "robot", "password": "canary", "email": "", "auth": "Y2FuYXJ5"}
PATH = "data[.dockerconfigjson].auths[http://192.168.0.99]"


def secret(document: object, **members: object) -> ObservedSecret:
    return ObservedSecret(type=TYPE, payload=json.dumps(document).encode(), **members)


def shown(before: ObservedSecret | None, after: ObservedSecret) -> list[str]:
    signs = {KeyChangeKind.ADD: "+", KeyChangeKind.REPLACE: "~", KeyChangeKind.REMOVE: "-"}
    return [f"{signs[change.kind]} {change.key}" for change in list_changes(before, after)]


def test_a_new_secret_has_every_key() -> None:
    after = secret({"auths": {"http://192.168.0.99": LOGIN}}, labels={"team": "shop"})
    members = [f"+ {PATH}.{member}" for member in sorted(LOGIN)]
    assert shown(None, after) == [*members, "+ metadata.labels[team]", "+ type"]


def test_a_new_password_is_two_keys_and_no_value() -> None:
    before = secret({"auths": {"http://192.168.0.99": LOGIN}})
    after = secret({"auths": {"http://192.168.0.99": LOGIN | {"password": "canary-new", "auth": "bmV3"}}})
    assert shown(before, after) == [f"~ {PATH}.auth", f"~ {PATH}.password"]
    assert "canary" not in repr(list_changes(before, after))
    assert list_changes(before, before) == ()


def test_a_removed_login_and_a_removed_member_are_named() -> None:
    before = secret({"auths": {"quay.io": {"auth": "x"}, "http://192.168.0.99": LOGIN}, "credHelpers": {"a": "b"}})
    after = secret({"auths": {"http://192.168.0.99": LOGIN}})
    expected = ["- data[.dockerconfigjson].auths[quay.io].auth", "- data[.dockerconfigjson].credHelpers[a]"]
    assert shown(before, after) == expected


def test_a_path_that_other_logins_share_keeps_its_own_line() -> None:
    before = secret({"auths": {"h.lan": {"auth": "x"}, "h.lan/a": {"auth": "y"}}})
    after = secret({"auths": {"h.lan": {"auth": "x"}, "h.lan/a": {"auth": "z"}}})
    assert shown(before, after) == ["~ data[.dockerconfigjson].auths[h.lan/a].auth"]


@pytest.mark.parametrize("payload", [None, b"", b"nonsense", b"[]", b'{"auths":7}', b"\xff", b'{"auths":{}}'])
def test_a_payload_of_any_form_is_compared(payload: bytes | None) -> None:
    before = ObservedSecret(type=TYPE, payload=payload)
    changes = list_changes(before, secret({"auths": {"http://192.168.0.99": LOGIN}}))
    assert KeyChange(key=f"{PATH}.password", kind=KeyChangeKind.ADD) in changes
    assert list_changes(before, before) == ()


def test_annotations_and_immutable_are_compared() -> None:
    before = secret({}, annotations={"a": "1", "b": "1"})
    after = secret({}, annotations={"a": "2"}, immutable=True)
    assert shown(before, after) == ["+ immutable", "~ metadata.annotations[a]", "- metadata.annotations[b]"]
