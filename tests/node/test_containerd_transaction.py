"""Transactions on booted nodes with containerd, on each version."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.plan import Action, Activation, FileChange, Plan
from harbor_agent.model.result import TransactionPhase
from harbor_agent.model.state import FileKind, FileState, Record
from harbor_agent.node.wire import programs as wire
from tests.lab import cri
from tests.lab.images import busybox_root
from tests.lab.leftovers import assert_nothing_left
from tests.lab.registry import running_registry
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.program import Program
    from harbor_agent.model.result import TransactionReport
    from tests.lab.node import LabNode
    from tests.lab.nodes import Lab
    from tests.lab.registry import RunningRegistry

pytestmark = pytest.mark.needs("nodes")

ENTRY = "10.99.0.1:5002"
IMAGE = f"{ENTRY}/lab/box:1"
CONFIG = "/etc/containerd/config.toml"
HOSTS = f"/etc/containerd/certs.d/{ENTRY}/hosts.toml"
TRUSTED = f'server = "http://{ENTRY}"\n[host."http://{ENTRY}"]\n  capabilities = ["pull", "resolve"]\n'
SECTION = '[plugins."io.containerd.grpc.v1.cri".registry]'
PLAIN = f'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  max_container_log_line_size = 1000\n{SECTION}\n'
CERTS = 'config_path = "/etc/containerd/certs.d"\n'
# A node where the change in the configuration has a consequence that no check could foresee.
_WRAPPER = """\
#!/bin/sh
if grep -q certs.d /etc/containerd/config.toml; then {then}; fi
exec /usr/bin/containerd
"""
_DROP_IN = "[Service]\nExecStart=\nExecStart=/usr/local/sbin/containerd-wrapper\n"


@pytest.fixture(scope="module")
def registry(containerd_lab: Lab) -> Iterator[RunningRegistry]:
    lab = containerd_lab
    inside = lab.network.inside(())
    with running_registry(lab.folder / "registry2", host=lab.address, port=5002, prefix=inside) as registry:
        registry.push("lab/box", "1", root=busybox_root(lab.nodes[0].base))
        yield registry


@pytest.fixture
def node(containerd_node: LabNode, registry: RunningRegistry) -> Iterator[LabNode]:
    """A node with a pod, whose CRI knows no config_path yet."""
    assert registry.entry == ENTRY
    containerd_node.run(f"rm -rf /etc/containerd/certs.d /var/lib/harbor-agent && cat >{CONFIG}", stdin=PLAIN.encode())
    containerd_node.run("systemctl reset-failed containerd; systemctl restart containerd")
    containerd_node.wait_ready()
    if not cri.list_processes(containerd_node):
        cri.import_images(containerd_node)
        cri.start_pod(containerd_node, "web")
    yield containerd_node
    assert_nothing_left(containerd_node)


def observe(node: LabNode, path: str) -> FileState:
    facts = node.run(f"stat -c '%a %u %g' {path} 2>/dev/null && cat {path}", check=False).stdout
    if not facts:
        return FileState(path=path)
    mode, content = facts.split(maxsplit=1)[0], facts.partition("\n")[2]
    return FileState(path=path, kind=FileKind.REGULAR, content=content.encode(), mode=int(mode, 8))


def change(node: LabNode, path: str, text: str | None) -> FileChange:
    after = FileState(path=path)
    if text is not None:
        after = FileState(path=path, kind=FileKind.REGULAR, content=text.encode(), mode=0o644)
    return FileChange(before=observe(node, path), after=after, reason="a test")


def plan(*changes: FileChange, action: Action, **activation: tuple[str, ...]) -> Plan:
    found = Activation(runtime="containerd", unit="containerd.service", action=action, config_file=CONFIG, **activation)  # type: ignore[arg-type]
    return Plan(node="node", reason="a test", changes=changes, activation=found)


def run(node: LabNode, program: Program) -> TransactionReport:
    done = node.run(f"sh -s -- {shlex.join(program.arguments)}", stdin=program.stdin, timeout=120)
    return wire.decode_report(done.stdout.encode())


def begin(node: LabNode, plan: Plan, transaction: str = "run-1") -> TransactionReport:
    record = wire.encode_record(Record(run_id=transaction, entries=(ENTRY,)))
    return run(node, wire.build_begin_program(plan, transaction=transaction, record=record, deadline=120))


def hosts_plan(node: LabNode, text: str = TRUSTED) -> Plan:
    return plan(change(node, HOSTS, text), action=Action.NONE, expected=(ENTRY,))


def restart_plan(node: LabNode, config: str = PLAIN + CERTS) -> Plan:
    changes = (change(node, HOSTS, TRUSTED), change(node, CONFIG, config))
    return plan(*changes, action=Action.RESTART, expected=(ENTRY,))


def started(node: LabNode) -> str:
    return node.run("systemctl show containerd -p ExecMainStartTimestampMonotonic").stdout


def wrap(node: LabNode, then: str) -> None:
    """Have systemd start containerd through a script; the running one is left alone."""
    folder = "/etc/systemd/system/containerd.service.d"
    node.run(f"mkdir -p {folder} && cat >{folder}/wrapped.conf", stdin=_DROP_IN.encode())
    script = "/usr/local/sbin/containerd-wrapper"
    node.run(
        f"cat >{script} && chmod 755 {script} && systemctl daemon-reload", stdin=_WRAPPER.format(then=then).encode()
    )


def test_hosts_toml_takes_effect_without_a_restart(node: LabNode) -> None:
    node.run(f"cat >{CONFIG} && systemctl restart containerd", stdin=(PLAIN + CERTS).encode())
    node.wait_ready()
    before = started(node)
    report = begin(node, hosts_plan(node))
    assert (report.phase, report.code) == (TransactionPhase.COMMITTED, ""), report.detail
    cri.pull(node, IMAGE)
    cri.remove_image(node, IMAGE)
    removal = plan(change(node, HOSTS, None), action=Action.NONE, unexpected=(ENTRY,))
    report = begin(node, removal, "run-2")
    assert (report.phase, report.code) == (TransactionPhase.COMMITTED, ""), report.detail
    gone = "directories of ours are removed behind the last file"
    wait_until(lambda: not node.succeeds("test -e /etc/containerd/certs.d"), gone, seconds=30)
    assert started(node) == before
    with pytest.raises(cri.CriError, match="HTTP response to HTTPS client"):
        cri.pull(node, IMAGE)


def test_hosts_toml_that_has_no_effect_is_rolled_back(node: LabNode) -> None:
    report = begin(node, hosts_plan(node))
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "registry-not-live")
    assert "HTTP response to HTTPS client" in report.detail
    assert observe(node, HOSTS).kind is FileKind.ABSENT


def test_a_restart_keeps_pods_and_can_be_undone(node: LabNode) -> None:
    pods, files = cri.list_processes(node), observe(node, CONFIG)
    report = begin(node, restart_plan(node))
    assert (report.phase, report.code) == (TransactionPhase.COMMITTED, ""), report.detail
    assert report.containers_lost == ()
    cri.pull(node, IMAGE)
    cri.remove_image(node, IMAGE)
    report = run(node, wire.build_rollback_program("run-1"))
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "rollback-requested"), report.detail
    assert observe(node, CONFIG) == files
    assert cri.list_processes(node) == pods
    with pytest.raises(cri.CriError, match="HTTP response to HTTPS client"):
        cri.pull(node, IMAGE)


@pytest.mark.parametrize(
    ("config", "phase", "words"),
    [
        (f"{PLAIN}{CERTS}[", "refused", CONFIG),
        (
            f"{PLAIN.replace('1000', '2000')}{CERTS}",
            "rolled_back",
            "more than the registries: max_container_log_line_size",
        ),
        (
            f'{PLAIN}{CERTS}{SECTION.replace("registry", "registry.mirrors.h")}\nendpoint = ["http://h"]\n',
            "rolled_back",
            "config_path and mirrors",
        ),
    ],
)
def test_what_containerd_would_not_take_is_found_before_the_restart(
    node: LabNode, config: str, phase: str, words: str
) -> None:
    before = started(node)
    report = begin(node, restart_plan(node, config))
    assert (report.phase, report.code) == (TransactionPhase(phase), "containerd-rejects-configuration"), report.detail
    assert words in report.detail
    assert started(node) == before
    assert observe(node, CONFIG).content == PLAIN.encode()


def test_a_cri_plugin_that_does_not_load_is_back_before_the_cluster_sees_it(node: LabNode) -> None:
    pods = cri.list_processes(node)
    broken = f'{PLAIN}{CERTS}{SECTION.replace("registry", "registry.mirrors.h")}\nendpoint = ["http://h"]\n'
    node.run("cat >/root/broken.toml", stdin=broken.encode())
    wrap(node, "exec /usr/bin/containerd --config /root/broken.toml")
    began = time.monotonic()
    report = begin(node, restart_plan(node))
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "cri-not-loaded"), report.detail
    assert "`mirrors` cannot be set when `config_path` is provided" in report.detail
    assert time.monotonic() - began < 20, "kubelet reports a runtime without CRI after 27 s"
    assert report.containers_lost == ()
    assert cri.list_processes(node) == pods
    node.wait_ready()
    with pytest.raises(cri.CriError, match="HTTP response to HTTPS client"):
        cri.pull(node, IMAGE)


def test_one_that_does_not_start_is_rolled_back(node: LabNode) -> None:
    pods = cri.list_processes(node)
    wrap(node, "echo fatal: no way >&2; exit 1")
    report = begin(node, restart_plan(node))
    assert (report.phase, report.code) == (TransactionPhase.ROLLED_BACK, "containerd-start-failed"), report.detail
    assert "no way" in report.detail
    assert cri.list_processes(node) == pods


def test_a_start_limit_that_was_reached_does_not_matter(node: LabNode) -> None:
    folder = "/etc/systemd/system/containerd.service.d"
    limits = "[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=1\n"
    node.run(f"mkdir -p {folder} && cat >{folder}/limit.conf && systemctl daemon-reload", stdin=limits.encode())
    node.run("systemctl reset-failed containerd; systemctl restart containerd")
    node.wait_ready()
    report = begin(node, restart_plan(node))
    assert (report.phase, report.code) == (TransactionPhase.COMMITTED, ""), report.detail


def test_a_stopped_one_and_one_without_cri_are_refused(node: LabNode) -> None:
    node.run("systemctl stop containerd")
    report = begin(node, restart_plan(node))
    assert (report.phase, report.code) == (TransactionPhase.REFUSED, "containerd-not-running")
    disabled = f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n{PLAIN}'
    node.run(f"cat >{CONFIG} && systemctl start containerd", stdin=disabled.encode())
    report = begin(node, restart_plan(node), "run-2")
    assert (report.phase, report.code) == (TransactionPhase.REFUSED, "cri-not-loaded")
