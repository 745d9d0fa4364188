"""The name in a file system tree without a running system: added, and gone without a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.plan.offline import apply_tree, plan_tree
from harbor_agent.engine.request.request import RunRequest
from harbor_agent.engine.request.resolve import Resolved
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Policy, Registry, ResolvePolicy, RuntimeChoice
from harbor_agent.model.result import Outcome
from tests.unit.planning.docker.nodes import FRAGMENT, PLAIN_UNIT

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

FOUND = "127.0.0.1 localhost"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in {
        "/etc/hosts": FOUND,
        "/etc/nsswitch.conf": "hosts: files dns\n",
        FRAGMENT: PLAIN_UNIT,
        "/usr/lib/systemd/system/containerd.service": "[Service]\nExecStart=/usr/bin/containerd\n",
    }.items():
        file = tmp_path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def resolved(runtime: RuntimeChoice, presence: Literal["present", "absent"] = "present") -> Resolved:
    resolve = ResolvePolicy(address="192.168.0.99", nodes=True)
    registry = Registry(address=Address.parse("harbor.lan"), presence=presence, resolve=resolve)
    return Resolved(request=RunRequest(), general=Policy(registries=(registry,), runtime=runtime))


@pytest.mark.parametrize("runtime", [RuntimeChoice.AUTO, RuntimeChoice.CONTAINERD])
def test_a_tree_gets_the_name_and_loses_it_again(root: Path, runtime: RuntimeChoice) -> None:
    planned = plan_tree(str(root), resolved(runtime))
    assert apply_tree(str(root), planned).outcome is Outcome.CHANGED, planned.reason
    written = (root / "etc/hosts").read_text()
    assert written == f"{FOUND}\n# BEGIN harbor-agent\n192.168.0.99 harbor.lan\n# END harbor-agent"
    assert plan_tree(str(root), resolved(runtime)).outcome is Outcome.UNCHANGED
    apply_tree(str(root), plan_tree(str(root), resolved(runtime, "absent")))
    assert (root / "etc/hosts").read_text() == FOUND


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"etc/nsswitch.conf": "hosts: dns\n"}, "hosts-not-read"),
        ({"etc/cloud/cloud.cfg": "manage_etc_hosts: true\n"}, "hosts-managed"),
        ({"etc/cloud/cloud.cfg.d/90.cfg": "manage_etc_hosts: template\n"}, "hosts-managed"),
        ({"etc/cloud/cloud.cfg": "manage_etc_hosts: true\n", "etc/cloud/cloud-init.disabled": ""}, None),
        ({"etc/hosts": "10.0.0.1 harbor.lan\n"}, "hosts-entry-differs"),
    ],
)
def test_a_tree_is_refused_like_a_node(root: Path, files: dict[str, str], code: str | None) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    planned = plan_tree(str(root), resolved(RuntimeChoice.AUTO))
    assert (planned.problem.code if planned.problem else None) == code
