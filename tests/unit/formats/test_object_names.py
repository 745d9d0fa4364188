"""Which names the API server would accept, found out without asking it."""

from __future__ import annotations

import pytest

from harbor_agent.formats.object_names import check_names


@pytest.mark.parametrize("name", ["harbor-pull", "a", "0", "harbor.pull", "a" * 253])
def test_a_subdomain_names_a_secret_or_service_account(name: str) -> None:
    assert check_names(secret=name, service_accounts=(name,)) is None


@pytest.mark.parametrize("name", ["", "Harbor", "harbor_pull", "-a", "a-", "a..b", "a" * 254, "a\n"])
def test_anything_else_is_refused_by_its_name(name: str) -> None:
    problem = check_names(secret=name)
    assert problem is not None
    assert (problem.code, problem.message) == (
        "kubernetes-name-invalid",
        f"the secret name '{name}' is not a valid Kubernetes name",
    )


def test_a_namespace_is_a_single_label() -> None:
    assert check_names(namespace="a" * 63) is None
    for name in ("", "demo.shop", "a" * 64):
        problem = check_names(namespace=name)
        assert problem is not None
        assert f"the namespace '{name}'" in problem.message
