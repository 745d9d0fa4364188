"""Layers of settings merge into one policy, field by field."""

from __future__ import annotations

import pytest

from harbor_agent.errors import UsageError
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Rollout, RouteChoice
from harbor_agent.planning.config.merge import merge
from harbor_agent.planning.config.reader import Source
from harbor_agent.planning.config.schema import PolicyLayer, parse_host_variables, parse_settings

SOURCE = Source(name="harbor-agent.yaml")


def read(document: object) -> PolicyLayer:
    return parse_settings(document, SOURCE)


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
    high = parse_host_variables(
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
def test_a_registry_that_has_left_plain_http_is_present_while_its_old_entry_is_absent(order: int) -> None:
    secure = {"address": "https://h", "verify_image": "x:1", "secret": {"name": "pull"}}
    layer = read({"registries": [secure, {"address": "h", "state": "absent"}][::order]})
    flags = PolicyLayer(registries=tuple({"address": Address.parse(text)} for text in ("https://h", "h")))
    policy = merge([layer, flags])
    found = {r.address.url: (r.presence, r.verify_image, r.secret is not None) for r in policy.registries}
    assert found == {"https://h": ("present", "x:1", True), "http://h": ("absent", None, False)}


def test_flags_can_remove_the_old_entry_if_the_file_says_https() -> None:
    old = Address.parse("h")
    layer = read({"registries": ["https://h"]})
    flags = PolicyLayer(registries=({"address": old, "state": "absent"},))
    assert [(r.address, r.presence) for r in merge([layer, flags], only=(old,)).registries] == [(old, "absent")]


def test_the_https_address_stays_present_if_its_old_entry_is_absent() -> None:
    new = Address.parse("https://h")
    layer = read({"registries": [{"address": "h", "state": "absent"}]})
    flags = PolicyLayer(registries=({"address": new},))
    assert [(r.address, r.presence) for r in merge([layer, flags], only=(new,)).registries] == [(new, "present")]


@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        ({"username": "u"}, "no password source"),
        ({"password_env": "P"}, "no username"),
        ({"username": "u", "password_env": "P", "password_file": "F"}, "password_env, password_file"),
    ],
)
def test_incomplete_credentials_are_an_error_after_the_merge(credentials: dict[str, str], message: str) -> None:
    layer = read({"registries": [{"address": "h", "credentials": credentials}]})
    with pytest.raises(UsageError, match=message):
        merge([layer])


def test_an_empty_user_name_is_no_user_name() -> None:
    """As with `--username "$USER_NAME"` if the variable is not set."""
    flags = PolicyLayer(
        registries=({"address": Address.parse("a"), "credentials": {"username": "", "password_env": "P"}},)
    )
    with pytest.raises(UsageError, match="no username"):
        merge((flags,))
