"""The probe reports the running kubelet and the sockets that it may use; a stand-in process is the kubelet here."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from harbor_agent.node.wire import programs as wire
from harbor_agent.planning.kubelet import find_other_runtime
from harbor_agent.resources import read_node_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.state import NodeState
    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")


@contextmanager
def stand_in(world: World, name: str, *arguments: str, prefix: tuple[str, ...] = ()) -> Iterator[None]:
    """Run a process of that name with these arguments: a script, whose own name is what /proc/PID/comm says."""
    program = world.root / name
    program.write_text("#!/bin/sh\necho up\nread -r line\n")
    program.chmod(0o755)
    with subprocess.Popen(
        [*prefix, str(program), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def probe(world: World) -> NodeState:
    return wire.decode_probe(world.run(wire.build_probe_program([])))


def test_a_node_without_kubelet_has_none(world: World) -> None:
    assert probe(world).kubelet is None


def test_arguments_configuration_and_sockets_are_reported(world: World) -> None:
    config, drop_ins, path = (world.root / name for name in ("kubelet.yaml", "kubelet.d", "b.sock"))
    config.write_text(
        "kind: KubeletConfiguration\n# containerRuntimeEndpoint: no\n"
        "containerRuntimeEndpoint: 'unix:///run/a.sock' # old\n"
    )
    drop_ins.mkdir()
    (drop_ins / "10.conf").write_text(f'{{"containerRuntimeEndpoint": "unix://{path}", "x": 1}}\n')
    options = ("--config", str(config), f"--config-dir={drop_ins}", "--v=2")
    with socket.socket(socket.AF_UNIX) as listening, stand_in(world, "kubelet", *options):
        listening.bind(str(path))
        kubelet = probe(world).kubelet
    assert kubelet is not None
    assert kubelet.argv[-4:] == options
    assert kubelet.configured_endpoints == ("unix:///run/a.sock", f"unix://{path}")
    assert kubelet.sockets[str(path)] == f"{path.stat().st_dev}:{path.stat().st_ino}"


@pytest.mark.parametrize(
    ("configured", "options", "address"),
    [
        ("", (), "127.0.0.1:10248"),
        ("healthzPort: 10300\n", (), "127.0.0.1:10300"),
        ("healthzPort: 10300\nhealthzBindAddress: 0.0.0.0\n", ("--healthz-port", "10301"), "127.0.0.1:10301"),
        ('{"healthzBindAddress":"fd00::7","healthzPort":10300}\n', (), "[fd00::7]:10300"),
        ("healthzPort: 10300\n", ("--healthz-bind-address=::",), "[::1]:10300"),
        ("healthzPort: 0\n", (), ""),
        ("", ("--healthz-port=0",), ""),
    ],
)
def test_its_health_port_is_found(world: World, configured: str, options: tuple[str, ...], address: str) -> None:
    config = world.root / "kubelet.yaml"
    config.write_text(configured)
    find = "note_processes; kubelet=$(find_kubelet); find_root; print_health_address\n"
    text = (read_node_program("kubelet.sh") + find).encode()
    endpoint = "--container-runtime-endpoint=unix:///run/containerd/containerd.sock"
    with stand_in(world, "kubelet", f"--config={config}", endpoint, *options):
        printed = world.execute([*world.shell.split(), "-s"], text).stdout.decode()
        kubelet = probe(world).kubelet
    assert printed.strip() == address
    assert kubelet is not None
    assert kubelet.answers_for_health is (address != "")


def test_the_sockets_of_cri_dockerd_are_docker(world: World) -> None:
    endpoint = "--container-runtime-endpoint=unix:///run/elsewhere.sock"
    with stand_in(world, "kubelet", endpoint), stand_in(world, "cri-dockerd", endpoint):
        kubelet = probe(world).kubelet
    assert kubelet is not None
    assert kubelet.shim_endpoints == ("unix:///run/elsewhere.sock",)
    assert find_other_runtime(kubelet) is None


def test_the_kubelet_of_a_nested_node_does_not_count(world: World) -> None:
    nested = ("unshare", "--pid", "--fork", "--kill-child")
    with stand_in(world, "kubelet", "--container-runtime-endpoint=/run/x.sock", prefix=nested):
        assert probe(world).kubelet is None


@pytest.mark.field("03")
@pytest.mark.parametrize(
    ("name", "options", "asked"),
    [
        ("cri-dockerd", ("--docker-endpoint=unix://{path}",), "{path}"),
        ("kubelet", ("--docker-endpoint", "unix://{path}"), "{path}"),
        ("kubelet", ("--docker-endpoint=",), "{path}"),  # DOCKER_HOST counts
        ("kubelet", (), "/var/run/docker.sock"),  # the default counts, whatever DOCKER_HOST says
        ("cri-dockerd", ("--docker-endpoint=tcp://{path}",), "/var/run/docker.sock"),
    ],
)
def test_the_docker_that_pods_use_is_asked(
    world: World, name: str, options: tuple[str, ...], asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.root / "d.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    world.replace("docker", f'echo "$DOCKER_HOST" >>{world.root}/asked')
    words = [word.format(path=path) for word in options]
    with socket.socket(socket.AF_UNIX) as listening, stand_in(world, name, *words):
        listening.bind(str(path))
        probe(world)
    assert set((world.root / "asked").read_text().split()) == {f"unix://{asked.format(path=path)}"}


@pytest.mark.parametrize(
    ("environment", "configuration", "endpoint"),
    [
        (
            'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///run/containerd/containerd.sock --v=2"\n',
            "",
            "/run/containerd/containerd.sock",
        ),
        ("# nothing\n", "containerRuntimeEndpoint: unix:///var/run/crio/crio.sock\n", "/run/crio/crio.sock"),
        ("KUBELET_EXTRA_ARGS='--container-runtime-endpoint unix:///run/cri-dockerd.sock'\n", "", None),
    ],
    ids=["kubeadm-flags.env", "config.yaml", "cri-dockerd"],
)
def test_a_stopped_kubelet_is_known_by_the_files_of_its_unit(
    world: World, environment: str, configuration: str, endpoint: str | None
) -> None:
    flags, config = world.root / "kubelet.env", world.root / "kubelet.yaml"
    flags.write_text(environment)
    config.write_text(configuration)
    describe_unit(world, f"EnvironmentFiles={flags} (ignore_errors=yes)", f"--config={config} $KUBELET_KUBEADM_ARGS")

    kubelet = probe(world).kubelet

    assert kubelet is not None
    other = find_other_runtime(kubelet)
    assert (other.source if other else None) == endpoint


def test_a_package_of_kubelet_alone_says_nothing(world: World) -> None:
    describe_unit(world, "Environment=KUBELET_CONFIG_ARGS=--config=/nowhere.yaml", "$KUBELET_CONFIG_ARGS")
    assert probe(world).kubelet is None


def describe_unit(world: World, environment: str, arguments: str) -> None:
    """Let systemd know a kubelet.service that does not run."""
    world.file("/etc/kubernetes").mkdir()
    command = f"ExecStart={{ path=/usr/bin/kubelet ; argv[]=/usr/bin/kubelet {arguments} ; ignore_errors=no }}"
    lines = ("LoadState=loaded", command, environment)
    quoted = " ".join(f"'{line}'" for line in lines)
    world.replace("systemctl", f"case \"$*\" in 'show kubelet.service'*) printf '%s\\n' {quoted}; exit 0 ;; esac")
