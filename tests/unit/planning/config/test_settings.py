"""Settings as written become one policy, or an error that names the place."""

from __future__ import annotations

import pytest

from harbor_agent.errors import UsageError
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Rollout, RouteChoice
from harbor_agent.planning.config.merge import merge
from harbor_agent.planning.config.reader import Source
from harbor_agent.planning.config.schema import PolicyLayer, settings_from_file, settings_from_variables

SOURCE = Source(name="harbor-agent.yaml", lines={(): 1, ("registries",): 1, ("registries", 0, "adress"): 7})


def read(document: object) -> PolicyLayer:
    return settings_from_file(document, SOURCE)


def test_a_registry_is_text_or_a_mapping() -> None:
    policy = merge([read({"registries": ["192.168.0.99", {"address": "http://Harbor.lan:8080/", "state": "absent"}]})])
    assert [(r.address.entry, r.state) for r in policy.registries] == [
        ("192.168.0.99", "present"),
        ("harbor.lan:8080", "absent"),
    ]


def test_layers_merge_field_by_field_and_the_later_wins() -> None:
    low = read(
        {
            "registries": [
                {
                    "address": "h",
                    "verify_image": "library/a:1",
                    "credentials": {"username": "u", "password_env": "A"},
                    "secret": {"name": "pull", "namespaces": ["demo"]},
                }
            ],
            "route": "drop-in",
            "rollout": {"batch": "20%"},
        }
    )
    high = settings_from_variables(
        {
            "harbor_registries": [
                {"address": "http://h", "credentials": {"password_file": "/f"}, "secret": {"key_form": "plain"}}
            ],
            "harbor_route": "daemon-json",
        },
        "node1",
    )
    policy = merge([low, high])
    (registry,) = policy.registries
    assert registry.verify_image == "library/a:1"
    assert registry.credentials is not None
    assert (registry.credentials.username, registry.credentials.password_file) == ("u", "/f")
    assert registry.credentials.password_env is None
    assert registry.secret is not None
    assert (registry.secret.name, registry.secret.namespaces, registry.secret.key_form) == ("pull", ("demo",), "plain")
    assert policy.route is RouteChoice.DAEMON_JSON
    assert policy.rollout == Rollout(batch="20%")


def test_naming_a_registry_restricts_the_run_and_takes_its_settings() -> None:
    layer = read({"registries": ["a", {"address": "b", "verify_image": "x:1"}]})
    policy = merge([layer], only=(Address.parse("b"), Address.parse("c")))
    assert [(r.address.entry, r.verify_image) for r in policy.registries] == [("b", "x:1"), ("c", None)]


@pytest.mark.parametrize("order", [1, -1])
def test_a_registry_that_left_plain_http_is_wanted_while_its_old_entry_goes(order: int) -> None:
    secure = {"address": "https://h", "verify_image": "x:1", "secret": {"name": "pull"}}
    layer = read({"registries": [secure, {"address": "h", "state": "absent"}][::order]})
    flags = PolicyLayer(registries=tuple({"address": Address.parse(text)} for text in ("https://h", "h")))
    policy = merge([layer, flags])
    found = {r.address.url: (r.state, r.verify_image, r.secret is not None) for r in policy.registries}
    assert found == {"https://h": ("present", "x:1", True), "http://h": ("absent", None, False)}


def test_the_old_entry_can_be_taken_out_by_flags_where_the_file_says_https() -> None:
    old = Address.parse("h")
    layer = read({"registries": ["https://h"]})
    flags = PolicyLayer(registries=({"address": old, "state": "absent"},))
    assert [(r.address, r.state) for r in merge([layer, flags], only=(old,)).registries] == [(old, "absent")]


def test_the_https_address_is_not_taken_for_absent_with_its_old_entry() -> None:
    new = Address.parse("https://h")
    layer = read({"registries": [{"address": "h", "state": "absent"}]})
    flags = PolicyLayer(registries=({"address": new},))
    assert [(r.address, r.state) for r in merge([layer, flags], only=(new,)).registries] == [(new, "present")]


@pytest.mark.parametrize(
    ("document", "message", "hint"),
    [
        ({"registries": [{"adress": "h"}]}, r"harbor-agent.yaml:7: unknown key 'adress'", "did you mean 'address'"),
        ({"registry": ["h"]}, "unknown key 'registry'", "did you mean 'registries'"),
        ({"registries": "h"}, "a list was expected", ""),
        ({"registries": [{"state": "absent"}]}, "needs an 'address'", "host"),
        ({"registries": ["http://h/p"]}, "no path", "write h"),
        ({"registries": [{"address": "h", "state": "gone"}]}, "'state' is 'gone'", "present, absent"),
        ({"route": "json"}, "'route' is 'json'", "daemon-json"),
        ({"rollout": {"batch": 0}}, "'batch' must be", ""),
        ({"rollout": {"max_failed": "200%"}}, "200%", "100%"),
        ({"rollout": {"health_deadline": 5}}, "'health_deadline' must be a whole number, at least 10", ""),
        (
            {"registries": [{"address": "h", "credentials": {"username": "u", "password": "p"}}]},
            "a password does not belong",
            "password_env",
        ),
        ([], "mapping", ""),
    ],
)
def test_a_mistake_names_the_place_and_the_way_out(document: object, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(document)
    assert str(caught.value).startswith("harbor-agent.yaml")
    assert hint in caught.value.problem.hint


@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        ({"username": "u"}, "no source of the password"),
        ({"password_env": "P"}, "no username"),
        ({"username": "u", "password_env": "P", "password_file": "F"}, "password_env and password_file"),
    ],
)
def test_incomplete_credentials_are_an_error_once_all_is_merged(credentials: dict[str, str], message: str) -> None:
    layer = read({"registries": [{"address": "h", "credentials": credentials}]})
    with pytest.raises(UsageError, match=message):
        merge([layer])


def test_an_unknown_inventory_variable_names_the_host() -> None:
    with pytest.raises(UsageError, match="inventory variables of node1: unknown key 'harbor_registry'"):
        settings_from_variables({"harbor_registry": ["h"]}, "node1")


def test_a_password_in_an_image_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        read({"registries": [{"address": "a", "verify_image": "http://joe:s3cret@a/x:1"}]})
    assert "is not an image" in str(caught.value.problem)
    assert "s3cret" not in str(caught.value.problem)


def test_a_user_name_that_is_empty_is_none() -> None:
    """So it is with `--username "$USER_NAME"` where the variable is not set."""
    flags = PolicyLayer(
        registries=({"address": Address.parse("a"), "credentials": {"username": "", "password_env": "P"}},)
    )
    with pytest.raises(UsageError, match="no username"):
        merge((flags,))
