"""Settings are checked key by key; a mistake is an error that names the place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.errors import UsageError
from harbor_agent.model.policy import ResolvePolicy
from harbor_agent.planning.config.merge import merge
from harbor_agent.planning.config.reader import Source
from harbor_agent.planning.config.schema import parse_host_variables, parse_settings

if TYPE_CHECKING:
    from harbor_agent.planning.config.schema import PolicyLayer

SOURCE = Source(name="harbor-agent.yaml", lines={(): 1, ("registries",): 1, ("registries", 0, "adress"): 7})


def read(document: object) -> PolicyLayer:
    return parse_settings(document, SOURCE)


def test_a_registry_is_text_or_a_mapping() -> None:
    policy = merge([read({"registries": ["192.168.0.99", {"address": "http://Harbor.lan:8080/", "state": "absent"}]})])
    assert [(r.address.entry, r.presence) for r in policy.registries] == [
        ("192.168.0.99", "present"),
        ("Harbor.lan:8080", "absent"),
    ]


def test_an_answer_timeout_is_of_its_registry() -> None:
    policy = merge([read({"registries": ["a", {"address": "b", "answer_timeout": 300}]})])
    assert [registry.answer_timeout for registry in policy.registries] == [60, 300]


def test_a_name_has_an_address_for_pods_and_nodes() -> None:
    resolve = {"address": "FD99::1", "nodes": True, "cluster": False}
    policy = merge([read({"registries": [{"address": "harbor.lan", "resolve": resolve}]})])
    assert [str(registry.resolve) for registry in policy.registries] == [
        "ResolvePolicy(address='fd99::1', nodes=True, cluster=<ClusterDns.FALSE: 'false'>)"
    ]


@pytest.mark.parametrize(
    ("address", "resolve", "message"),
    [
        ("h", {"cluster": False}, "resolve of h: no address"),
        ("10.0.0.1", {"address": "10.0.0.1"}, "resolve of 10.0.0.1: only a host name is resolved"),
        ("docker.io", {"address": "10.0.0.1"}, "resolve of docker.io: only a host name is resolved"),
    ],
)
def test_only_a_name_with_an_address_is_resolved(address: str, resolve: dict[str, object], message: str) -> None:
    layer = read({"registries": [{"address": address, "resolve": resolve}]})
    with pytest.raises(UsageError, match=message):
        merge([layer])


def test_a_group_of_nodes_may_have_another_address_of_the_name() -> None:
    resolve = {"address": "10.0.0.1", "nodes": True}
    there = {"harbor_registries": [{"address": "harbor.lan", "resolve": {"address": "10.1.0.1"}}]}
    layers = [read({"registries": [{"address": "harbor.lan", "resolve": resolve}]}), parse_host_variables(there, "n1")]
    (registry,) = merge(layers).registries
    assert registry.resolve == ResolvePolicy(address="10.1.0.1", nodes=True)


@pytest.mark.parametrize("value", ["harbor.lan:8080", ["harbor.lan:8080"], [{"address": "harbor.lan:8080"}]])
def test_a_variable_may_name_one_registry_without_a_list(value: object) -> None:
    (registry,) = merge([parse_host_variables({"harbor_registries": value}, "n1")]).registries
    assert str(registry.address) == "harbor.lan:8080"


@pytest.mark.parametrize("value", ["a.lan, b.lan", 5, {"address": "harbor.lan"}])
def test_a_variable_that_is_neither_an_address_nor_a_list_is_an_error(value: object) -> None:
    with pytest.raises(
        UsageError, match=r"inventory variables of n1: (registry address 'a.lan, b.lan'|expected a list)"
    ):
        parse_host_variables({"harbor_registries": value}, "n1")


def test_a_name_has_one_address_on_nodes() -> None:
    one, other = ({"address": f"10.0.0.{last}", "nodes": True} for last in (1, 2))
    registries = [{"address": "harbor.lan", "resolve": one}, {"address": "Harbor.lan:8080", "resolve": other}]
    with pytest.raises(UsageError, match=r"harbor\.lan has the addresses 10\.0\.0\.1 and 10\.0\.0\.2"):
        merge([read({"registries": registries})])


@pytest.mark.parametrize(
    ("document", "message", "hint"),
    [
        ({"registries": [{"adress": "h"}]}, r"harbor-agent.yaml:7: unknown key 'adress'", "did you mean 'address'"),
        ({"registry": ["h"]}, "unknown key 'registry'", "did you mean 'registries'"),
        ({"registries": "h"}, "expected a list", ""),
        ({"registries": [{"state": "absent"}]}, "registry without an 'address'", "host"),
        ({"registries": ["http://h/p"]}, "no path", "write h"),
        ({"registries": [{"address": "h", "state": "gone"}]}, "invalid state: 'gone'", "present, absent"),
        ({"route": "json"}, "invalid route: 'json'", "daemon-json"),
        ({"registries": [{"address": "h", "answer_timeout": 0}]}, "'answer_timeout' must be", ""),
        ({"registries": [{"address": "h", "resolve": {"address": "x"}}]}, "'x' is not an IP address", ""),
        ({"registries": [{"address": "h", "resolve": {"nodes": "yes"}}]}, "'nodes' must be true or false", ""),
        ({"registries": [{"address": "h", "resolve": {"cluster": "on"}}]}, "'cluster' must be auto or false", ""),
        ({"rollout": {"batch": 0}}, "'batch' must be", ""),
        ({"rollout": {"max_failed": "200%"}}, "200%", "100%"),
        ({"rollout": {"health_deadline": 5}}, "'health_deadline' must be a whole number, at least 10", ""),
        (
            {"registries": [{"address": "h", "credentials": {"username": "u", "password": "p"}}]},
            "passwords are not allowed",
            "password_env",
        ),
        ([], "mapping", ""),
    ],
)
def test_a_mistake_names_the_place_and_what_to_write(document: object, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(document)
    assert str(caught.value).startswith("harbor-agent.yaml")
    assert hint in caught.value.problem.hint


def test_an_unknown_inventory_variable_names_the_host() -> None:
    with pytest.raises(UsageError, match="inventory variables of node1: unknown key 'harbor_registry'"):
        parse_host_variables({"harbor_registry": ["h"]}, "node1")


def test_a_password_in_an_image_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        read({"registries": [{"address": "a", "verify_image": "http://joe:s3cret@a/x:1"}]})
    assert "is not an image" in str(caught.value.problem)
    assert "s3cret" not in str(caught.value.problem)
