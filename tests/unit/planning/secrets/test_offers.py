"""Keys of a pull secret match an image as they do in kubelet (pkg/credentialprovider/keyring_test.go)."""

from __future__ import annotations

import json

import pytest

from harbor_agent.formats.pull_secret import SECRET_TYPE, ObservedSecret
from harbor_agent.planning.secrets.offers import is_key_of, judge_offer

IMAGE = "h.lan/shop/web:1"


@pytest.mark.parametrize(
    ("key", "image", "matches"),
    [
        ("h.lan", IMAGE, True),
        ("http://h.lan", IMAGE, True),
        ("https://h.lan/v1/", IMAGE, True),
        ("https://h.lan/v2/", IMAGE, True),
        ("h.lan/shop", IMAGE, True),
        ("h.lan/other", IMAGE, False),
        ("h.lan:80", IMAGE, False),
        ("h.lan", "h.lan:80/shop/web:1", False),
        ("*.lan", IMAGE, True),
        ("*.lan", "a.h.lan/shop/web:1", False),
        ("https://index.docker.io/v1/", "nginx", True),
        ("docker.io", "docker.io/library/nginx", True),
        ("h.lan", "nginx", False),
    ],
)
def test_a_key_matches_host_port_and_path(key: str, image: str, *, matches: bool) -> None:
    assert is_key_of(key, image) is matches


def test_kubelet_ignores_a_secret_of_another_type() -> None:
    payload = json.dumps({"auths": {"h.lan": {"auth": "x"}}}).encode()
    offer = judge_offer("pull", ObservedSecret(type="Opaque", payload=payload), IMAGE)
    assert not offer.has_login
    assert offer.clause == "secret pull has type Opaque, which kubelet ignores"


def test_a_login_without_a_user_is_none() -> None:
    offer = judge_offer("pull", ObservedSecret(type=SECRET_TYPE, payload=b'{"auths":{"h.lan":{}}}'), IMAGE)
    assert not offer.has_login


def test_the_longest_path_counts() -> None:
    auths = {"h.lan": {"username": "all", "auth": "x"}, "h.lan/shop": {"username": "shop", "auth": "x"}}
    offer = judge_offer("pull", ObservedSecret(type=SECRET_TYPE, payload=json.dumps({"auths": auths}).encode()), IMAGE)
    assert (offer.has_login, offer.username) == (True, "shop")
