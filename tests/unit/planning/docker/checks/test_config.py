"""Keys and values of daemon.json with which dockerd does not start, judged from the text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harbor_agent.formats.docker.daemon_json import parse_daemon_json
from harbor_agent.planning.docker.checks.config import find_unknown_keys, find_wrong_types
from tests.unit.planning.docker.nodes import DAEMON_JSON, FRAGMENT, HARBOR, PLAIN_UNIT, docker_of, node, running
from tests.unit.planning.docker.plans import DEBIAN_ARGV, codes, plan, refusal

OLD, RECENT = (20, 10, 24), (26, 1, 5)


def unknown(text: str, version: tuple[int, int, int] | None = OLD) -> list[str]:
    return [f"{member.key} {reason}" for member, reason in find_unknown_keys(parse_daemon_json(text.encode()), version)]


def wrong(text: str) -> list[str]:
    return [member.key for member, _ in find_wrong_types(parse_daemon_json(text.encode()))]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('{"proxies": {"http-proxy": "http://p:3128"}}', OLD),
        ('{"graph": "/data"}', RECENT),
        ('{"cluster-store": "consul://c"}', RECENT),
        ('{"log-format": "json"}', OLD),
        ('{"live-restor": true}', None),
        ('{"data-root": "/d"}', (1, 13, 1)),
        ('{"storage": {"storage-drivr": "overlay2"}}', OLD),
    ],
)
def test_a_key_that_this_version_does_not_know_is_found(text: str, version: tuple[int, int, int] | None) -> None:
    assert unknown(text, version)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('{"proxies": {"http-proxy": "http://p:3128", "no-proxy": "a"}}', RECENT),
        ('{"graph": "/data", "cluster-store-opts": {"kv.path": "x"}}', OLD),
        ('{"builder": {"gc": {"enabled": true}}, "features": {"buildkit": true}}', OLD),
        ('{"insecure-registry": ["h"], "label": "x"}', OLD),
        ('{"runtimes": {"nvidia": {"path": "/usr/bin/nvidia", "runtimeArgs": []}}}', OLD),
        ('{"tls": {"tlscacert": "/ca", "tlscert": "/c"}}', OLD),
        ('{"something-of-tomorrow": 1}', (31, 0, 0)),
        ('{"log-format": "json"}', None),
    ],
)
def test_a_key_that_this_version_knows_is_not_reported(text: str, version: tuple[int, int, int] | None) -> None:
    assert unknown(text, version) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"ipv6": "true"}', "ipv6"),
        ('{"debug": 1}', "debug"),
        ('{"log-opts": {"max-size": "10m", "max-file": 3}}', "log-opts"),
        ('{"mtu": "1450"}', "mtu"),
        ('{"mtu": 1450.0}', "mtu"),
        ('{"dns": "10.0.0.2"}', "dns"),
        ('{"hosts": [1]}', "hosts"),
        ('{"storage-driver": ["overlay2"]}', "storage-driver"),
        ('{"default-address-pools": {"base": "10.0.0.0/8"}}', "default-address-pools"),
    ],
)
def test_a_value_of_the_wrong_type_is_found(text: str, key: str) -> None:
    assert wrong(text) == [key]


@pytest.mark.parametrize(
    "text",
    [
        '{"ipv6": true, "mtu": 1450, "dns": ["10.0.0.2"], "hosts": null, "log-opts": {"max-size": "10m", "tag": null}}',
        '{"default-address-pools": [{"base": "10.0.0.0/8", "size": 24}], "runtimes": {"runsc": {"path": "/r"}}}',
        '{"insecure-registries": "judged elsewhere", "default-shm-size": "64M", "no-such-key": 1}',
    ],
)
def test_values_of_the_right_type_are_not_reported(text: str) -> None:
    assert wrong(text) == []


@pytest.mark.field("17")
@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ('{\n  "insecure-registrys": ["h"]\n}', "config-key-unknown", "'insecure-registries'"),
        ('{\n  "ipv6": "true",\n  "insecure-registries": ["h"]\n}', "config-value-invalid", "'ipv6'"),
    ],
)
def test_the_plan_refuses_such_a_file_and_names_line_and_key(text: str, code: str, named: str, *, live: bool) -> None:
    state = node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: text})
    problem = refusal(running(state, DEBIAN_ARGV) if live else state).problem
    assert problem.code == code
    assert f"{DAEMON_JSON} line 2" in problem.message
    assert named in problem.message


def test_a_file_that_the_running_dockerd_was_started_with_is_not_judged() -> None:
    text = '{"key-of-a-vendor": true}'
    state = running(node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: text}), DEBIAN_ARGV)
    started = replace(state, runtimes=(replace(docker_of(state), changed_files=()),))
    assert plan(started).changes
    edited = replace(state, runtimes=(replace(docker_of(state), changed_files=(DAEMON_JSON,)),))
    assert refusal(edited).problem.code == "config-key-unknown"


def test_a_node_that_needs_no_change_is_warned() -> None:
    text = f'{{"ipv6": "true", "insecure-registries": ["{HARBOR}"]}}'
    assert codes(plan(node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: text}))) == ["config-value-invalid"]
