from __future__ import annotations

import pytest

from harbor_agent.registry.challenge import Challenge, choose_challenge

HARBOR = 'Bearer realm="http://192.168.0.99/service/token",service="harbor-registry"'


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([HARBOR], Challenge(scheme="bearer", realm="http://192.168.0.99/service/token", service="harbor-registry")),
        (
            ['Bearer realm="https://h/t", service="s", scope="repository:a/b:pull,push", error="invalid_token"'],
            Challenge(scheme="bearer", realm="https://h/t", service="s"),
        ),
        (["bearer REALM=https://h/t"], Challenge(scheme="bearer", realm="https://h/t")),
        (['Basic realm="a \\"quoted\\" name"'], Challenge(scheme="basic", realm='a "quoted" name')),
        (["Basic"], Challenge(scheme="basic")),
        (["Negotiate", 'Basic realm="x"', HARBOR], Challenge(
            scheme="bearer", realm="http://192.168.0.99/service/token", service="harbor-registry"
        )),
        (["Negotiate"], None),
        ([""], None),
        ([], None),
    ],
)  # fmt: skip
def test_challenge(headers: list[str], expected: Challenge | None) -> None:
    assert choose_challenge(headers) == expected
