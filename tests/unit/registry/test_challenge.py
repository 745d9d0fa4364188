"""Challenges are read as docker reads them."""

from __future__ import annotations

import pytest

from harbor_agent.registry.challenge import Challenge, parse_challenges

HARBOR = 'Bearer realm="http://192.168.0.99/service/token",service="harbor-registry"'
OF_HARBOR = Challenge(scheme="bearer", realm="http://192.168.0.99/service/token", service="harbor-registry")
QUOTED = Challenge(scheme="basic", realm='a "quoted" name')


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([HARBOR], [OF_HARBOR]),
        (
            ['Bearer realm="https://h/t", service="s", scope="repository:a/b:pull,push", error="invalid_token"'],
            [Challenge(scheme="bearer", realm="https://h/t", service="s")],
        ),
        (["bearer REALM=token"], [Challenge(scheme="bearer", realm="token")]),
        (["bearer REALM=https://h/t"], [Challenge(scheme="bearer", realm="https")]),
        (['Basic realm="a \\"quoted\\" name"'], [QUOTED]),
        (["Basic"], [Challenge(scheme="basic")]),
        (["Negotiate", 'Basic realm="x"', HARBOR], [Challenge(scheme="basic", realm="x"), OF_HARBOR]),
        ([f'{HARBOR}, Basic realm="other"'], [OF_HARBOR]),
        ([f'Basic realm="x", {HARBOR}'], [Challenge(scheme="basic", realm="x")]),
        ([f"Negotiate, {HARBOR}"], []),
        (['Bearer realm="a"', HARBOR], [OF_HARBOR]),
        (["Negotiate"], []),
        ([""], []),
        ([], []),
    ],
)
def test_challenges(headers: list[str], expected: list[Challenge]) -> None:
    assert list(parse_challenges(headers).values()) == expected


def test_endless_challenges_are_read_in_no_time() -> None:
    for header in ('a="' * 200_000, "Bearer " + 'a="\\' * 100_000, "Bearer " + "a=b," * 100_000, "x" * 1_000_000):
        assert all(not challenge.realm for challenge in parse_challenges([header]).values())
