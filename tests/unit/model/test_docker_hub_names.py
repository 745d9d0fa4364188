"""Docker Hub is docker.io; its other names are refused with a hint."""

from __future__ import annotations

import pytest

from harbor_agent.errors import UsageError
from harbor_agent.model.address import Address


@pytest.mark.field("c25")
@pytest.mark.parametrize("scheme", ["", "https://", "http://"])
@pytest.mark.parametrize(
    "host",
    [
        "hub.docker.com", "HUB.docker.com", "dockerhub.io", "registry.docker.io", "registry.docker.com", "docker.com",
        "www.docker.com", "dockerhub.com", "docker-hub.com", "hub.docker.io", "auth.docker.io", "hub.docker.com:443",
    ],
)  # fmt: skip
def test_a_wrong_name_is_refused(scheme: str, host: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address.parse(f"{scheme}{host}")
    assert "Docker Hub is docker.io" in caught.value.problem.message
    assert Address.parse_removal(host).entry == host


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"])
def test_a_right_name_is_docker_io(host: str) -> None:
    assert Address.parse(host).entry == "docker.io"


@pytest.mark.parametrize(
    "host", ["docker.elastic.co", "mydocker.com", "dockerhub.example.com", "dockerhub", "docker.lan"]
)
def test_other_hosts_are_registries(host: str) -> None:
    assert Address.parse(host).entry == host
