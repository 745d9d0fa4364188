"""Plans for booted nodes with containerd: a pull fails, then it succeeds, and nothing else changes."""

from __future__ import annotations

import copy
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from harbor_agent.model.address import Address
from harbor_agent.model.plan import Action, Plan
from harbor_agent.model.policy import DesiredState
from harbor_agent.model.state import FileKind
from harbor_agent.planning.node import find_runtime, plan_node
from tests.lab import cri
from tests.lab.images import busybox_root
from tests.lab.registry import running_registry
from tests.lab.waiting import wait_until
from tests.node.test_containerd_probe import CONFIG, ENTRY, ROOT, probe, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.lab.node import LabNode
    from tests.lab.nodes import Lab
    from tests.lab.registry import RunningRegistry

pytestmark = pytest.mark.needs("nodes")

IMAGE = f"{ENTRY}/lab/box:latest"
CRI = 'plugins."io.containerd.grpc.v1.cri"'
CERTS = f'version = 2\n[{CRI}.registry]\n  config_path = "{ROOT}"\n'
OURS = f"{ROOT}/{ENTRY}/hosts.toml"
MIRRORS = f"""version = 2
[{CRI}.registry]
  [{CRI}.registry.mirrors]
    [{CRI}.registry.mirrors."docker.io"]
      endpoint = ["https://registry-1.docker.io"]
"""


IMPORTS = 'version = 2\nimports = ["/etc/containerd/d/*.toml"]\n'
HTTPS = f'server = "https://{ENTRY}"\n[host."https://{ENTRY}"]\n  skip_verify = true\n'


@dataclass(frozen=True)
class Case:
    """Files of a node, the versions on which they are tried, and the action of its plan.

    One version is enough, unless another one reads the files in another way or gets another text.
    """

    name: str
    versions: tuple[str, ...]
    files: Mapping[str, str]
    action: Action = Action.NONE
    repair: bool = False


CASES = [
    Case("certs", ("1.6",), {CONFIG: CERTS}),
    Case("no-config", ("1.6", "1.7", "2.1"), {}, Action.RESTART),
    Case("comment-only", ("1.7",), {CONFIG: "# nothing yet\n"}, Action.RESTART),
    Case("mirrors", ("1.7", "2.1"), {CONFIG: MIRRORS}, Action.RESTART),
    Case("mirror-over-https", ("1.6",), {CONFIG: MIRRORS.replace('"docker.io"', f'"{ENTRY}"')}, Action.RESTART),
    Case(
        "mirrors-on-one-line",
        ("1.6", "2.1"),
        {CONFIG: f'version = 2\n[{CRI}.registry]\n  mirrors = {{ x = {{ endpoint = ["https://x"] }} }}\n'},
        Action.RESTART,
    ),
    Case(
        "tls-without-mirrors",
        ("1.7", "2.1"),
        {CONFIG: f'version = 2\n[{CRI}.registry.configs."x".tls]\n  insecure_skip_verify = true\n'},
        Action.RESTART,
    ),
    Case(
        "version-1",
        ("1.6",),
        {CONFIG: "oom_score = 0\n[plugins.cri]\n  max_container_log_line_size = 1\n"},
        Action.RESTART,
    ),
    Case("server-only", ("1.7",), {CONFIG: CERTS, OURS: f'server = "http://{ENTRY}"\n'}),
    Case("https-host", ("1.7", "2.1"), {CONFIG: CERTS, OURS: HTTPS}),
    Case(
        "hosts-on-one-line",
        ("1.7",),
        {CONFIG: CERTS, OURS: f'host = {{ "https://{ENTRY}" = {{ skip_verify = true }} }}\n'},
    ),
    Case(
        "port-directory",
        ("1.6",),
        {CONFIG: CERTS, f"{ROOT}/10.99.0.1_5000_/hosts.toml": f'server = "https://{ENTRY}"\n'},
    ),
    Case("default", ("2.1",), {CONFIG: CERTS, f"{ROOT}/_default/hosts.toml": '[host."http://10.99.0.1:1"]\n'}),
    Case("other-file", ("2.1",), {CONFIG: CERTS, f"{ROOT}/{ENTRY}/ca.txt": "not a certificate\n"}),
    Case("broken-hosts", ("1.7",), {CONFIG: CERTS, OURS: f'server = "http://{ENTRY}"\n[host."x"\n'}, repair=True),
    Case(
        "imported",
        ("1.6",),
        {
            CONFIG: IMPORTS,
            "/etc/containerd/d/a.toml": f'version = 2\n[{CRI}.registry]\n  config_path = "/etc/containerd/own"\n',
        },
    ),
    Case(
        "section-in-drop-in",
        ("1.7", "2.1"),
        {
            CONFIG: f"{IMPORTS}[{CRI}]\n  max_container_log_line_size = 1\n",
            "/etc/containerd/d/a.toml": f"version = 2\n[{CRI}]\n  max_container_log_line_size = 2\n",
        },
        Action.RESTART,
    ),
    Case("two-directories", ("1.7",), {CONFIG: CERTS.replace(ROOT, f"{ROOT}:/etc/docker/certs.d")}),
    Case("list-taken-for-a-name", ("2.1",), {CONFIG: CERTS.replace(ROOT, f"{ROOT}:/etc/x")}, Action.RESTART),
    Case(
        "mirrors-and-path",
        ("1.6", "2.1"),
        {CONFIG: MIRRORS.replace("registry]\n", f'registry]\n  config_path = "{ROOT}"\n', 1)},
        Action.RESTART,
        repair=True,
    ),
    Case("no-version-line", ("1.7",), {CONFIG: CERTS.removeprefix("version = 2\n")}, Action.RESTART, repair=True),
    Case(
        "crlf", ("2.1",), {CONFIG: f"version = 2\r\n[{CRI}]\r\n  max_container_log_line_size = 1\r\n"}, Action.RESTART
    ),
    Case(
        "version-3",
        ("2.1",),
        {CONFIG: 'version = 3\n[plugins."io.containerd.cri.v1.images"]\n  snapshotter = "overlayfs"\n'},
        Action.RESTART,
    ),
]
TRIED = [pytest.param(version, case, id=f"{case.name}-{version}") for case in CASES for version in case.versions]


@pytest.fixture(scope="module")
def registry(containerd_lab: Lab) -> Iterator[RunningRegistry]:
    lab = containerd_lab
    inside = lab.network.inside(())
    with running_registry(lab.folder / "plans", host=lab.address, port=5000, prefix=inside) as registry:
        registry.push("lab/box", root=busybox_root(lab.nodes[0].base))
        yield registry


def restart(node: LabNode) -> None:
    node.run("systemctl reset-failed containerd; systemctl restart containerd")
    wait_until(lambda: node.succeeds("ctr version"), "containerd answers", seconds=30)


def dump(node: LabNode) -> dict[str, Any]:
    """What containerd itself reads in its files, without the registries."""
    values = copy.deepcopy(tomllib.loads(node.run(f"containerd --config {CONFIG} config dump").stdout))
    for plugin in values["plugins"].values():
        plugin.pop("registry", None)
    return {key: value for key, value in values.items() if key != "imports"}


def carry_out(node: LabNode, plan: Plan) -> None:
    for change in plan.changes:
        if change.after.kind is FileKind.ABSENT:
            node.run(f"rm {change.path}")
            continue
        write(node, change.path, (change.after.content or b"").decode())
    if plan.activation.action is Action.RESTART:
        restart(node)


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(("containerd_node", "case"), TRIED, indirect=["containerd_node"])
def test_a_plan_makes_the_pull_succeed(containerd_node: LabNode, case: Case) -> None:
    node = containerd_node
    node.run("rm -rf /etc/containerd; mkdir /etc/containerd")
    for path, text in case.files.items():
        write(node, path, text)
    restart(node)
    cri_is_off = case.name == "mirrors-and-path"
    with pytest.raises(cri.CriError):
        cri.pull(node, IMAGE)
    before = None if not case.files or case.repair else dump(node)
    state = probe(node, ENTRY)
    wanted = DesiredState(present=(Address.parse(ENTRY),), repair=case.repair)
    plan = plan_node(node.name, state, wanted, {})
    assert isinstance(plan, Plan), plan.problem
    assert plan.activation.action is case.action
    assert plan.activation.kill_mode == ""
    assert ("cri-not-loaded" in [one.code for one in plan.warnings]) is cri_is_off
    carry_out(node, plan)
    node.wait_ready()
    cri.pull(node, IMAGE)
    assert before is None or dump(node) == before
    after = probe(node, ENTRY)
    again = plan_node(node.name, after, wanted, {})
    assert isinstance(again, Plan), again.problem
    assert again.is_empty, again.reason
    assert ENTRY in (find_runtime(after).describe_process(after).entries or ())
    cri.remove_image(node, IMAGE)
    # a registry that is to be removed is not tried, but its files are read
    gone = plan_node(node.name, probe(node, f"={ENTRY}"), DesiredState(absent=(Address.parse(ENTRY),)), {})
    assert isinstance(gone, Plan), gone.problem
    carry_out(node, gone)
    with pytest.raises(cri.CriError):
        cri.pull(node, IMAGE)
