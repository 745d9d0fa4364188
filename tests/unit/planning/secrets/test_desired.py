"""Which secrets are wanted where: what the settings say, and that a secret stays one registry's."""

from __future__ import annotations

import pytest

from harbor_agent.engine.request.request import RegistryFlags
from harbor_agent.engine.request.resolve import build_policy
from harbor_agent.errors import UsageError
from harbor_agent.model.policy import CONTEXT_NAMESPACE, Credentials
from harbor_agent.model.secret import Namespaces
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.planning.config.reader import Source
from harbor_agent.planning.config.schema import parse_settings
from harbor_agent.planning.secrets.desired import build_desired_secrets

LOGIN = Credentials(username="u", password=Sensitive("p"))


def wanted(*secrets: dict[str, object], **flags: object) -> list[Namespaces]:
    """Where the secrets of registries r0.lan, r1.lan … are wanted."""
    registries = [
        {"address": f"r{number}.lan", "credentials": {"username": "u", "password_env": "P"}, "secret": secret}
        for number, secret in enumerate(secrets)
    ]
    file = parse_settings({"registries": registries}, Source(name="test"))
    policy = build_policy(file, RegistryFlags(**flags))
    logins = {f"r{number}.lan": LOGIN for number in range(len(secrets))}
    return [one.namespaces for one in build_desired_secrets([policy], logins)]


@pytest.mark.parametrize(
    ("secret", "namespaces"),
    [
        ({}, Namespaces(names=(CONTEXT_NAMESPACE,))),
        ({"namespaces": ["a", "b"]}, Namespaces(names=("a", "b"))),
        ({"namespace_selector": "team=shop"}, Namespaces(selector="team=shop")),
        ({"namespaces": ["a"], "namespace_selector": "x"}, Namespaces(names=("a",), selector="x")),
        ({"exclude_namespaces": ["kube-system"]}, Namespaces(names=("*",), excluded=("kube-system",))),
        (
            {"namespace_selector": "x", "exclude_namespaces": ["a"]},
            Namespaces(selector="x", excluded=("a",)),
        ),
    ],
)
def test_where_a_secret_is_wanted(secret: dict[str, object], namespaces: Namespaces) -> None:
    assert wanted(secret) == [namespaces]


def test_what_the_command_line_names_replaces_all_of_it() -> None:
    secret = {"namespaces": ["a"], "namespace_selector": "x", "exclude_namespaces": ["b"]}
    assert wanted(secret, namespaces=("b",)) == [Namespaces(names=("b",))]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"namespaces": ["a", "b"]}, {"namespaces": ["b"]}),
        ({"namespaces": ["a"]}, {"namespace_selector": "team=shop"}),
        ({"exclude_namespaces": ["a"]}, {"namespaces": ["b"]}),
    ],
)
def test_two_registries_in_one_secret_are_refused(one: dict[str, object], other: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"r0\.lan and http://r1\.lan|r0\.lan and r1\.lan") as caught:
        wanted(one, other)
    assert caught.value.problem.code == "secret-name-shared"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"name": "pull-0"}, {"name": "pull-1"}),
        ({"namespaces": ["a"]}, {"namespaces": ["b"]}),
    ],
)
def test_two_secrets_apart_are_fine(one: dict[str, object], other: dict[str, object]) -> None:
    assert len(wanted(one, other)) == 2
