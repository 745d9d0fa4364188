"""Which variable of the environment names the proxy. tests/unit/model/test_proxy.py has the rules of NO_PROXY."""

from __future__ import annotations

import pytest

from harbor_agent.local.proxy import find_proxy

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("url", "environment", "expected"),
    [
        ("http://h/", {}, None),
        ("http://h/", {"http_proxy": PROXY}, PROXY),
        ("https://h/", {"http_proxy": PROXY}, None),
        ("https://h/", {"HTTPS_PROXY": "proxy:3128"}, PROXY),
        ("https://h/", {"all_proxy": PROXY}, PROXY),
        ("http://h/", {"http_proxy": PROXY, "HTTP_PROXY": "http://other"}, PROXY),
        ("http://h/", {"http_proxy": PROXY, "NO_PROXY": "h"}, None),
        ("http://h/", {"http_proxy": PROXY, "no_proxy": "other", "NO_PROXY": "h"}, PROXY),
        ("http://H/v2/", {"http_proxy": PROXY, "no_proxy": "h"}, None),
        ("http://h/", {"http_proxy": PROXY, "no_proxy": "h:80"}, None),
        ("https://h/", {"https_proxy": PROXY, "no_proxy": "h:443"}, None),
        ("http://h:5000/", {"http_proxy": PROXY, "no_proxy": "h:80"}, PROXY),
        ("http://[fd00::1]:5000/v2/", {"http_proxy": PROXY, "no_proxy": "fd00::/8"}, None),
        ("http://127.0.0.1:5000/v2/", {"http_proxy": PROXY}, None),
    ],
)
def test_proxy_of_the_environment(url: str, environment: dict[str, str], expected: str | None) -> None:
    assert find_proxy(url, environment) == expected
