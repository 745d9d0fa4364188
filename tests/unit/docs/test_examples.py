"""The example files are what the program reads, and leave nothing out."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from harbor_agent.engine.request.config_file import load_configuration
from harbor_agent.errors import UsageError
from harbor_agent.inventory.load import load_inventory
from harbor_agent.model.policy import Policy, Registry, Rollout, RouteChoice, SecretPolicy
from harbor_agent.planning.config.merge import merge
from harbor_agent.planning.config.schema import parse_host_variables

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "docs/reference/harbor-agent.example.yaml"


def names(*classes: type) -> set[str]:
    return {field.name for one in classes for field in fields(one)}


def test_the_example_settings_are_read() -> None:
    policy = merge([load_configuration(str(EXAMPLE))])
    assert [registry.address.entry for registry in policy.registries] == [
        "harbor-2.lan:8080",
        "192.168.0.99",
        "registry.example.org",
    ]
    assert policy.route is RouteChoice.AUTO
    assert policy.registries[1].secret is not None


def test_the_example_settings_show_every_key() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    known = names(Registry, SecretPolicy, Rollout, Policy) - {
        "repair",
        "presence",
        "certificates",
        "ca_ends",
        "login",
    }  # --repair is a flag only
    known |= {"state", "username", "email", "password_env", "password_file", "docker_config"}
    assert [key for key in sorted(known) if not re.search(rf"^[ #-]*{key}:", text, re.MULTILINE)] == []


def test_a_mistake_in_a_copy_of_the_example_is_found_with_its_line(tmp_path: Path) -> None:
    copy = tmp_path / "harbor-agent.yaml"
    copy.write_text(EXAMPLE.read_text(encoding="utf-8").replace("canary:", "canery:"), encoding="utf-8")
    with pytest.raises(UsageError, match=r"harbor-agent\.yaml:\d+: unknown key 'canery'"):
        load_configuration(str(copy))


def test_the_settings_of_daily_work_are_read(tmp_path: Path) -> None:
    text = (ROOT / "docs/guides/daily-work.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert yaml.safe_load(block)["registries"]
    (tmp_path / "harbor-agent.yaml").write_text(block, encoding="utf-8")
    assert load_configuration(str(tmp_path / "harbor-agent.yaml")).registries


@pytest.mark.parametrize("name", ["moving.md", "moving.zh.md"])
def test_the_settings_in_the_guides_are_read(tmp_path: Path, name: str) -> None:
    text = (ROOT / "docs/guides" / name).read_text(encoding="utf-8")
    policies = []
    for block in re.findall(r"^ *```yaml\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        (tmp_path / "harbor-agent.yaml").write_text(block, encoding="utf-8")
        policies.append(merge([load_configuration(str(tmp_path / "harbor-agent.yaml"))]))
    found = [[(one.address.url, one.presence) for one in policy.registries] for policy in policies]
    assert found == [
        [("http://192.168.0.99", "present"), ("http://10.0.0.5", "present")],
        [("http://192.168.0.99", "absent"), ("http://10.0.0.5", "present")],
        [("http://10.0.0.5", "present"), ("http://192.168.0.99", "absent")],
        [("https://harbor.lan", "present"), ("http://harbor.lan", "absent")],
    ]


def test_what_is_commented_out_in_the_example_inventory_works_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BECOME_PASSWORD", "secret")
    text = (ROOT / "inventory.example").read_text(encoding="utf-8")
    copy = tmp_path / "inventory.ini"
    copy.write_text(re.sub(r"^# (?=(builder|ansible|harbor)\S*[ =])", "", text, flags=re.MULTILINE), encoding="utf-8")
    nodes = {node.name: node for node in load_inventory([str(copy)])}
    assert "builder" in nodes
    edge = nodes["edge1"]
    assert edge.become is not None
    assert edge.become.password is not None
    assert edge.become.password.reveal() == "secret"
    layers = [parse_host_variables(edge.variables, edge.name)]
    assert [registry.address.entry for registry in merge(layers).registries] == ["192.168.0.99", "harbor.lan:8080"]
