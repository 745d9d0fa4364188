"""dockerd's command line as pflag reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.formats.docker.arguments import find_conflicts, parse_arguments


@pytest.mark.parametrize(
    "arguments",
    [
        ["--insecure-registry=a:1", "--insecure-registry", "b"],
        ["-H", "fd://", "--insecure-registry=a:1", "-D", "--insecure-registry", "b"],
        ["--live-restore", "--insecure-registry=a:1", "--iptables=false", "--insecure-registry=b"],
        ["daemon", "--insecure-registry=a:1", "--insecure-registry=b", "--", "--insecure-registry=c"],
        ["-Hfd://", "-H=x", "--insecure-registry=a:1", "--log-opt", "--insecure-registry=z", "--insecure-registry=b"],
        ["--switch-of-tomorrow", "--insecure-registry=a:1", "--insecure-registry=b"],
    ],
)  # fmt: skip
def test_registries_are_found_in_every_form(arguments: list[str]) -> None:
    assert parse_arguments(["/usr/bin/dockerd", *arguments]).values("insecure-registry") == ("a:1", "b")


def test_what_is_no_flag_is_told() -> None:
    parsed = parse_arguments(["/usr/bin/docker", "daemon", "-D", "$DOCKER_OPTS", "--mtu", "1400", "true"])
    assert parsed.operands == ("$DOCKER_OPTS", "true")


def test_the_last_config_file_is_read_and_the_default_without_one() -> None:
    assert parse_arguments(["dockerd", "--config-file=/a", "--config-file", "/b"]).config_file == "/b"
    assert parse_arguments(["dockerd"]).config_file == "/etc/docker/daemon.json"


@pytest.mark.parametrize(
    ("flag", "key"),
    [
        ("-H=fd://", "hosts"),
        ("--host=fd://", "hosts"),
        ("--log-opt=a=b", "log-opts"),
        ("--insecure-registry=a", "insecure-registries"),
        ("--registry-mirror=a", "registry-mirrors"),
        ("--exec-opt=a=b", "exec-opts"),
        ("--storage-opt=a=b", "storage-opts"),
        ("--label=a", "labels"),
        ("--dns=1.1.1.1", "dns"),
        ("--dns-opt=a", "dns-opts"),
        ("--dns-search=a", "dns-search"),
        ("--add-runtime=a=b", "runtimes"),
        ("--default-ulimit=a=b", "default-ulimits"),
        ("--data-root=/x", "data-root"),
        ("-D", "debug"),
        ("--live-restore", "live-restore"),
    ],
)
def test_a_flag_conflicts_with_its_key_and_no_other(flag: str, key: str) -> None:
    parsed = parse_arguments(["dockerd", flag])
    assert [found for _, found in find_conflicts(parsed, [key, "mtu"])] == [key]
    assert find_conflicts(parsed, ["mtu"]) == []


@given(st.lists(st.text(alphabet="-=aHD x", max_size=5), max_size=8))
def test_any_arguments_are_read_and_none_counts_twice(arguments: list[str]) -> None:
    parsed = parse_arguments(["dockerd", *arguments])
    taken = [index for flag in parsed.flags for index in range(flag.first, flag.last + 1)]
    assert len(taken) == len(set(taken))
