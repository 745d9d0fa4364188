"""The policy of a node, from defaults, the file, groups and hosts of the inventory, and options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.request.request import RegistryFlags, RunRequest
from harbor_agent.engine.request.resolve import resolve
from harbor_agent.errors import UsageError
from harbor_agent.inventory.load import load_inventory
from harbor_agent.model.policy import RouteChoice

if TYPE_CHECKING:
    from pathlib import Path

    from harbor_agent.model.policy import Policy

FILE = """\
registries:
  - address: file.lan
    verify_image: library/pause:3.9
  - address: 10.0.0.9:5000
route: drop-in
"""
HOSTS = """\
[all:vars]
net=10.0.0
[plain]
p1
[site]
s1
s2
s3
s4 harbor_skip=rebuilt harbor_registries=nonsense
[site:vars]
harbor_route=daemon-json
"""
SITE = """\
harbor_registries:
  - site.lan
  - {address: "http://{{ net }}.9:5000", state: absent}
harbor_admin_password: "{{ of_another_role_and_not_defined }}"
harbor_version: v2.11.0
"""


def resolve_policies(folder: Path, **flags: object) -> dict[str, Policy]:
    files = {
        "harbor-agent.yaml": FILE,
        "hosts": HOSTS,
        "group_vars/site.yml": SITE,
        "host_vars/s2.yml": "harbor_registries: [{address: file.lan, verify_image: library/busybox:1}]\n",
        "host_vars/s3.yml": "harbor_route: auto\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    flags_given = RegistryFlags(**flags)  # type: ignore[arg-type]
    request = RunRequest(config=str(folder / "harbor-agent.yaml"), flags=flags_given)
    resolved = resolve(request, load_inventory([str(folder / "hosts")]))
    return {node.name: policy for node, policy in resolved.nodes}


def wanted(policy: Policy) -> dict[str, str]:
    return {registry.address.entry: registry.presence for registry in policy.registries}


def test_the_file_counts_without_variables_in_the_inventory(tmp_path: Path) -> None:
    policy = resolve_policies(tmp_path)["p1"]

    assert wanted(policy) == {"file.lan": "present", "10.0.0.9:5000": "present"}
    assert policy.route is RouteChoice.DROP_IN


def test_a_group_adds_to_the_file_and_counts_over_it(tmp_path: Path) -> None:
    policy = resolve_policies(tmp_path)["s1"]

    assert wanted(policy) == {"file.lan": "present", "10.0.0.9:5000": "absent", "site.lan": "present"}
    assert policy.route is RouteChoice.DAEMON_JSON


def test_a_host_overrides_its_group_as_in_ansible(tmp_path: Path) -> None:
    policies = resolve_policies(tmp_path)

    assert wanted(policies["s2"]) == {"file.lan": "present", "10.0.0.9:5000": "present"}
    assert [registry.verify_image for registry in policies["s2"].registries] == ["library/busybox:1", None]
    assert policies["s2"].route is RouteChoice.DAEMON_JSON
    assert policies["s3"].route is RouteChoice.AUTO


def test_a_skipped_node_may_have_invalid_variables(tmp_path: Path) -> None:
    assert resolve_policies(tmp_path)["s4"]


def test_options_override_everything_and_use_the_settings_of_the_registry(tmp_path: Path) -> None:
    policies = resolve_policies(tmp_path, addresses=("file.lan", "new.lan"), route=RouteChoice.DROP_IN)

    for policy in policies.values():
        assert wanted(policy) == {"file.lan": "present", "new.lan": "present"}
        assert policy.route is RouteChoice.DROP_IN
    assert policies["p1"].registries[0].verify_image == "library/pause:3.9"
    assert policies["s2"].registries[0].verify_image == "library/busybox:1"


@pytest.mark.parametrize("name", ["harbor_registry", "harbor_registrys", "harbor_routes", "harbor_insecure_registries"])
def test_a_name_that_looks_like_one_of_ours_is_an_error_with_a_suggestion(tmp_path: Path, name: str) -> None:
    (tmp_path / "hosts").write_text(f"a {name}=x\n", encoding="utf-8")
    (node,) = load_inventory([str(tmp_path / "hosts")])

    with pytest.raises(UsageError) as caught:
        resolve(RunRequest(flags=RegistryFlags(addresses=("h",))), [node])

    assert f"'{name}'" in caught.value.problem.message
    assert "did you mean" in caught.value.problem.hint
