"""What is rendered: the drop-in of the KubeSphere guide, to the byte."""

from __future__ import annotations

import json

from harbor_agent.model.address import Address
from harbor_agent.planning.docker.edits.render import render_daemon_json, render_drop_in
from tests.unit.planning.docker.nodes import TEMPLATES


def test_the_drop_in_of_the_guide() -> None:
    rendered = render_drop_in([Address.parse("http://192.168.0.99/")], TEMPLATES)
    assert rendered == '[Service]\nEnvironment="DOCKER_OPTS=--insecure-registry=192.168.0.99"\n'


def test_several_registries_are_one_variable() -> None:
    addresses = [Address.parse(text) for text in ("192.168.0.99", "harbor.lan:8080", "[fd00::1]:5000")]
    assert render_drop_in(addresses, TEMPLATES) == (
        '[Service]\nEnvironment="DOCKER_OPTS=--insecure-registry=192.168.0.99'
        ' --insecure-registry=harbor.lan:8080 --insecure-registry=[fd00::1]:5000"\n'
    )


def test_daemon_json() -> None:
    text = render_daemon_json(["a", "b:1"], TEMPLATES)
    assert text == '{\n  "insecure-registries": ["a", "b:1"]\n}\n'
    assert json.loads(text) == {"insecure-registries": ["a", "b:1"]}
