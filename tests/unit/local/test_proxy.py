from __future__ import annotations

import pytest

from harbor_agent.local.proxy import proxy_for

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("harbor.lan", "http://harbor.lan/v2/"),
        ("lan", "http://harbor.lan/v2/"),
        (".lan", "http://harbor.lan/v2/"),
        ("*.lan", "http://harbor.lan/v2/"),
        ("other, HARBOR.lan", "http://harbor.lan/v2/"),
        ("harbor.lan:8080", "http://harbor.lan:8080/v2/"),
        ("harbor.lan:80", "http://harbor.lan/v2/"),
        ("192.168.0.0/16", "http://192.168.0.99/v2/"),
        ("192.168.0.99", "http://192.168.0.99:5000/v2/"),
        ("fd00::/8", "http://[fd00::1]:5000/v2/"),
        ("*", "http://anything/"),
        ("", "http://127.0.0.1:5000/v2/"),
        ("", "http://localhost/v2/"),
        ("", "http://[::1]/v2/"),
    ],
)
def test_direct(no_proxy: str, url: str) -> None:
    assert proxy_for(url, {"http_proxy": PROXY, "no_proxy": no_proxy}) is None


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("", "http://harbor.lan/v2/"),
        ("harbor.lan", "http://myharbor.lan/v2/"),
        ("harbor.lan:8080", "http://harbor.lan/v2/"),
        ("192.168.1.0/24", "http://192.168.0.99/v2/"),
        (", ,", "http://harbor.lan/v2/"),
        (".", "http://harbor.lan/v2/"),
    ],
)
def test_through_the_proxy(no_proxy: str, url: str) -> None:
    assert proxy_for(url, {"http_proxy": PROXY, "no_proxy": no_proxy}) == PROXY


def test_variables() -> None:
    assert proxy_for("https://h/", {"http_proxy": PROXY}) is None
    assert proxy_for("https://h/", {"HTTPS_PROXY": "proxy:3128"}) == PROXY
    assert proxy_for("https://h/", {"all_proxy": PROXY}) == PROXY
    assert proxy_for("http://h/", {"http_proxy": PROXY, "HTTP_PROXY": "http://other"}) == PROXY
    assert proxy_for("http://h/", {"http_proxy": PROXY, "NO_PROXY": "h"}) is None
    assert proxy_for("http://h/", {}) is None
