"""What containerd's answer to a pull that cannot succeed shows: the scheme by which it asked the registry."""

from __future__ import annotations

import pytest

from harbor_agent.node.wire.containerd import read_scheme

_REF = 'failed to pull and unpack image "h:5000/harbor-agent/none:none": failed to resolve reference: '


@pytest.mark.parametrize(
    ("entry", "answer", "scheme"),
    [
        ("h:5000", f"{_REF}h:5000/harbor-agent/none:none: not found", "http"),
        (
            "h:5000",
            f"{_REF}pulling from host h:5000 failed with status code [manifests none]: 401 Unauthorized",
            "http",
        ),
        (
            "h:5000",
            'failed to do request: Head "http://h:5000/v2/x": dial tcp 10.0.0.1:5000: connection refused',
            "http",
        ),
        (
            "h:5000",
            'failed to do request: Head "https://h:5000/v2/x": http: server gave HTTP response to HTTPS client',
            "https",
        ),
        (
            "h",
            'failed to do request: Head "https://h/v2/x": dial tcp 10.0.0.1:443: connect: connection refused',
            "https",
        ),
        ("h", 'failed to do request: Head "https://h:5000/v2/x": dial tcp', ""),
        (
            "h:5000",
            'failed to authorize: failed to fetch anonymous token: Get "http://h:5000/service/token": EOF',
            "http",
        ),
        ("h", "rpc error: code = Unknown desc = context deadline exceeded", ""),
    ],
)
def test_the_scheme_is_the_one_in_the_error(entry: str, answer: str, scheme: str) -> None:
    assert read_scheme(entry, answer) == scheme
