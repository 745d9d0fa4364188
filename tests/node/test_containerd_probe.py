"""The probe of booted nodes: what it says of containerd, on each version."""

from __future__ import annotations

import shlex
import tomllib
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.runtimes.containerd import ContainerdState
from harbor_agent.model.runtimes.docker import DockerState
from harbor_agent.model.state import FileKind
from harbor_agent.node.wire import programs as wire
from tests.lab import cri
from tests.lab.registry import running_registry
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harbor_agent.model.state import NodeState
    from tests.lab.node import LabNode
    from tests.lab.nodes import Lab
    from tests.lab.registry import RunningRegistry

pytestmark = pytest.mark.needs("nodes")

ENTRY = "10.99.0.1:5000"
CONFIG = "/etc/containerd/config.toml"
ROOT = "/etc/containerd/certs.d"
_KUBELET = "/usr/local/bin/kubelet"


@pytest.fixture(scope="module")
def registry(containerd_lab: Lab) -> Iterator[RunningRegistry]:
    lab = containerd_lab
    inside = lab.network.inside(())
    with running_registry(lab.folder / "registry", host=lab.address, port=5000, prefix=inside) as registry:
        yield registry


def probe(node: LabNode, *entries: str) -> NodeState:
    program = wire.build_probe_program(entries)
    done = node.run(f"sh -s -- {shlex.join(program.arguments)}", stdin=program.stdin)
    return wire.decode_probe(done.stdout.encode())


def containerd_of(state: NodeState) -> ContainerdState:
    return next(runtime for runtime in state.runtimes if isinstance(runtime, ContainerdState))


def write(node: LabNode, path: str, text: str) -> None:
    node.run(f"mkdir -p {path.rpartition('/')[0]} && cat >{path}", stdin=text.encode())


@pytest.mark.usefixtures("registry")
def test_what_runs_and_what_it_reads_are_reported(request: pytest.FixtureRequest, containerd_node: LabNode) -> None:
    cri.import_images(containerd_node)
    cri.start_pod(containerd_node, "web")
    state = probe(containerd_node, ENTRY)
    containerd = containerd_of(state)
    version = request.node.callspec.params["containerd_node"]
    assert containerd.version.startswith(f"{version}.")
    assert (containerd.unit.name, containerd.unit.active_state) == ("containerd.service", "active")
    assert containerd.kill_mode == "process"
    assert (containerd.argv, containerd.socket) == (("/usr/bin/containerd",), "/run/containerd/containerd.sock")
    assert (containerd.config_file, containerd.dump_error) == (CONFIG, "")
    assert tomllib.loads((containerd.dump or b"").decode())["state"] == "/run/containerd"
    assert (containerd.cri_loaded, containerd.cri_error) == (True, "")
    assert containerd.live_config_path == (None if version == "2.1" else ROOT)
    assert containerd.changed_files == ()
    assert [(each.name, each.image, each.kubernetes) for each in containerd.containers or ()] == [
        ("default/web/main", cri.BUSYBOX, True)
    ]
    assert state.unreadable == ()
    kinds = {path: file.kind for path, file in state.files.items() if path.startswith(ROOT)}
    assert kinds == {
        ROOT: FileKind.DIRECTORY,
        f"{ROOT}/10.99.0.1_5000_": FileKind.ABSENT,
        f"{ROOT}/10.99.0.1_5000_/hosts.toml": FileKind.ABSENT,
        f"{ROOT}/{ENTRY}": FileKind.ABSENT,
        f"{ROOT}/{ENTRY}/hosts.toml": FileKind.ABSENT,
        f"{ROOT}/_default": FileKind.ABSENT,
        f"{ROOT}/_default/hosts.toml": FileKind.ABSENT,
        f"{ROOT}/docker.io": FileKind.DIRECTORY,
    }
    assert state.files[CONFIG].content


def prove(node: LabNode, proofs: Mapping[str, str]) -> NodeState:
    """Probe a node until its containerd has proven this: on a busy machine the proof runs into its time limit."""
    states: list[NodeState] = []

    def is_proven() -> bool:
        states.append(probe(node, *proofs))
        found = containerd_of(states[-1]).proofs
        assert found.items() <= proofs.items()
        return found == proofs

    wait_until(is_proven, f"containerd has proven {proofs}", seconds=90)
    return states[-1]


@pytest.mark.usefixtures("registry")
def test_the_proof_shows_whether_hosts_toml_counts(containerd_node: LabNode) -> None:
    prove(containerd_node, {ENTRY: "https"})
    text = f'server = "http://{ENTRY}"\n[host."http://{ENTRY}"]\n  capabilities = ["pull", "resolve"]\n'
    write(containerd_node, f"{ROOT}/{ENTRY}/hosts.toml", text)
    write(containerd_node, f"{ROOT}/{ENTRY}/client.key", "a key")
    closed = "10.99.0.1:1"
    write(containerd_node, f"{ROOT}/{closed}/hosts.toml", text.replace(ENTRY, closed))
    state = prove(containerd_node, {ENTRY: "http", closed: "http"})
    assert state.files[f"{ROOT}/{ENTRY}/hosts.toml"].content == text.encode()
    key = state.files[f"{ROOT}/{ENTRY}/client.key"]
    assert (key.kind, key.content) == (FileKind.REGULAR, None)


def test_a_daemon_with_its_own_file_and_imports(containerd_node: LabNode) -> None:
    write(containerd_node, "/etc/other/main.toml", 'version = 2\nimports = ["/etc/other/d/*.toml"]\n')
    section = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/etc/other/certs"\n'
    write(containerd_node, "/etc/other/d/a.toml", 'version = 2\nimports = ["/etc/other/deep.toml"]\n')
    write(containerd_node, "/etc/other/deep.toml", section)
    write(
        containerd_node,
        "/etc/systemd/system/containerd.service.d/own.conf",
        "[Service]\nKillMode=control-group\nExecStart=\nExecStart=/usr/bin/containerd --config /etc/other/main.toml\n",
    )
    containerd_node.run("systemctl daemon-reload && systemctl restart containerd")
    containerd_node.wait_ready()
    state = probe(containerd_node, "h")
    containerd = containerd_of(state)
    assert (containerd.config_file, containerd.kill_mode) == ("/etc/other/main.toml", "control-group")
    assert state.files["/etc/other/d/a.toml"].content
    assert state.files["/etc/other/deep.toml"].content == section.encode()
    assert state.files["/etc/other/certs/h/hosts.toml"].kind is FileKind.ABSENT
    assert "/etc/systemd/system/containerd.service.d/own.conf" in state.files
    containerd_node.run("rm -r /etc/other")


def test_what_does_not_parse_is_named_without_its_text(containerd_node: LabNode) -> None:
    containerd_node.run(f"printf '[hunter2\\n' >>{CONFIG}")
    containerd = containerd_of(probe(containerd_node, ENTRY))
    assert containerd.dump is None
    assert containerd.dump_error
    assert "hunter2" not in repr(containerd)


def test_a_missing_cri_plugin_has_its_reason(containerd_node: LabNode) -> None:
    both = f'[plugins."io.containerd.grpc.v1.cri".registry.mirrors."{ENTRY}"]\nendpoint = ["http://{ENTRY}"]\n'
    containerd_node.run(f"cat >>{CONFIG} && systemctl restart containerd", stdin=both.encode())
    containerd = containerd_of(probe(containerd_node, ENTRY))
    assert containerd.cri_loaded is False
    assert "`mirrors` cannot be set when `config_path` is provided" in containerd.cri_error


def test_a_stopped_one_is_reported_without_a_process(containerd_node: LabNode) -> None:
    containerd_node.run("systemctl stop containerd")
    containerd = containerd_of(probe(containerd_node, ENTRY))
    assert (containerd.argv, containerd.cri_loaded, containerd.proofs) == (None, None, {})
    assert (containerd.dump is not None, containerd.changed_files) == (True, None)


def test_the_containerd_behind_docker_is_not_reported(containerd_lab: Lab) -> None:
    node = containerd_lab.nodes[-1]
    assert [type(runtime) for runtime in probe(node, ENTRY).runtimes if hasattr(runtime, "unit")] == [DockerState]


@pytest.mark.parametrize(
    ("options", "version", "found"),
    [
        ("--container-runtime-endpoint=unix:///var/run/containerd/containerd.sock", "1.20.2", True),
        ("--container-runtime-endpoint unix:///run/cri-dockerd.sock", "1.28.1", False),
        ("--v=2", "1.28.1", True),
        ("--v=2", "1.20.2", False),
        ("--container-runtime=remote --v=2", "1.20.2", True),
    ],
)
def test_the_one_that_kubelet_uses_is_reported_beside_docker(
    containerd_lab: Lab, options: str, version: str, *, found: bool
) -> None:
    node = containerd_lab.nodes[-1]
    script = f'#!/bin/sh\n[ "$1" != --version ] || {{ echo Kubernetes v{version}; exit; }}\nsleep 1000\n'
    node.run(f"cat >{_KUBELET} && chmod 755 {_KUBELET}", stdin=script.encode())
    node.run(f"systemd-run -q --unit=kubelet --service-type=exec {_KUBELET} {options}")
    try:
        containerd = [each for each in probe(node, ENTRY).runtimes if isinstance(each, ContainerdState)]
    finally:
        node.run("systemctl stop kubelet")
    assert bool(containerd) is found
