"""Several dockerd on a node: the one that answers on the socket is planned; its client need not be in PATH."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.nodes import Lab
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes")

_ENTRY = "10.99.0.1:5999"
_SNAP_UNIT = "[Service]\nExecStart=/usr/bin/snap run docker.dockerd\n"
_SNAP = """\
#!/bin/sh
mkdir -p /run/snap.docker /var/snap/docker/common
exec /snap/docker/2893/bin/dockerd --exec-root=/run/snap.docker --data-root=/var/snap/docker/common \\
  --pidfile=/run/snap.docker/docker.pid --config-file=/var/snap/docker/2893/config/daemon.json
"""
# RHEL 7 has docker-latest beside docker.
_LATEST_UNIT = """\
[Service]
Type=notify
EnvironmentFile=-/etc/sysconfig/docker-latest
ExecStart=/usr/bin/dockerd-latest \\
          --exec-opt native.cgroupdriver=cgroupfs \\
          $OPTIONS \\
          $INSECURE_REGISTRY
ExecReload=/bin/kill -s HUP $MAINPID
KillMode=process
"""
# What an earlier Docker left: systemd makes a docker.service of it.
_INIT_SCRIPT = """\
#!/bin/sh
### BEGIN INIT INFO
# Provides: docker
# Required-Start: $local_fs
# Required-Stop: $local_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
"""
_ARCHIVE_UNIT = """\
[Service]
Environment="PATH=/opt/kube/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ExecStart="/opt/kube/bin/dockerd"
ExecReload=/bin/kill -s HUP $MAINPID
Delegate=yes
KillMode=process
"""
_SECOND_UNIT = """\
[Service]
ExecStart=/usr/sbin/dockerd -H unix:///run/docker-pods.sock --config-file=/etc/docker/pods.json --bridge=none \\
  --exec-root=/run/docker-pods --data-root=/var/lib/docker-pods --pidfile=/run/docker-pods.pid --iptables=false
"""
# A stand-in for cri-dockerd; Docker's restart stops it.
_SHIM_UNIT = """\
[Unit]
Requires=docker-pods.service
After=docker-pods.service
[Service]
ExecStart=/usr/local/bin/cri-dockerd --docker-endpoint=unix:///run/docker-pods.sock
"""
_MOVE = """\
systemctl disable --now docker docker.socket containerd; mkdir -p /opt/kube/bin
for name in dockerd docker docker-init docker-proxy containerd containerd-shim-runc-v2 ctr runc; do
  for folder in /usr/bin /usr/sbin; do [ ! -e $folder/$name ] || mv $folder/$name /opt/kube/bin/; done
done
systemctl daemon-reload; systemctl start docker
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(shapes=("docker.io",) * 8, suites=("bookworm", "trixie")) as lab:
        yield lab


def _run(lab: Lab, node: LabNode, command: str, *further: str) -> dict[str, Any]:
    program = str(Path(sys.executable).with_name("harbor-agent"))
    inventory = str(lab.write_inventory(f"only-{node.name}.ini", nodes=[node]))
    done = lab.run([program, command, "-i", inventory, "--registry", _ENTRY, "-o", "json", *further], timeout=120)
    (found,) = json.loads(done.stdout)["nodes"]
    return dict(found)


def _write(node: LabNode, path: str, text: str, mode: int = 0o644) -> None:
    file = node.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


@pytest.mark.field("03")
@pytest.mark.parametrize("number", [0, 1])
def test_the_docker_that_answers_is_planned(lab: Lab, number: int) -> None:
    node = lab.nodes[number]
    _write(node, "etc/systemd/system/snap.docker.dockerd.service", _SNAP_UNIT)
    _write(node, "usr/bin/snap", _SNAP, 0o755)
    _write(node, "var/snap/docker/2893/config/daemon.json", "{}\n")
    node.run("mkdir -p /snap/docker/2893/bin; cp $(command -v dockerd) /snap/docker/2893/bin/; systemctl daemon-reload")
    node.run("systemctl disable --now docker docker.socket; systemctl start snap.docker.dockerd")
    node.wait_ready()
    changed = _run(lab, node, "apply", "--yes", "--allow-unreachable-registry")
    assert changed["outcome"] == "changed", changed
    assert _ENTRY in (node.root / "var/snap/docker/2893/config/daemon.json").read_text()
    assert not node.succeeds("systemctl is-active docker")
    node.run("systemctl start docker; systemctl restart snap.docker.dockerd")
    node.wait_ready()
    refused = _run(lab, node, "plan")
    assert refused["code"] == "docker-socket-foreign", refused
    assert "snap.docker.dockerd.service" in refused["reason"]
    assert "docker.service" in refused["reason"]


@pytest.mark.field("03")
@pytest.mark.parametrize("number", [6, 7])
def test_docker_latest_is_planned_beside_docker_and_beside_its_init_script(lab: Lab, number: int) -> None:
    node = lab.nodes[number]
    _write(node, "usr/lib/systemd/system/docker-latest.service", _LATEST_UNIT)
    _write(node, "etc/sysconfig/docker-latest", 'OPTIONS="--log-level=warn"\n')
    node.run("cp $(command -v dockerd) /usr/bin/dockerd-latest; systemctl daemon-reload")
    node.run("systemctl disable --now docker docker.socket; systemctl start docker-latest")
    node.wait_ready()
    changed = _run(lab, node, "apply", "--yes", "--allow-unreachable-registry")
    assert changed["outcome"] == "changed", changed
    assert _ENTRY in (node.root / "etc/sysconfig/docker-latest").read_text()
    assert not node.succeeds("systemctl is-active docker")
    _write(node, "etc/init.d/docker", _INIT_SCRIPT, 0o755)
    node.run("rm /usr/lib/systemd/system/docker.service; systemctl daemon-reload")
    assert "generator" in node.run("systemctl show -p FragmentPath docker").stdout
    assert _run(lab, node, "plan")["status"] == "unchanged"


@pytest.mark.field("03")
@pytest.mark.parametrize("number", [4, 5])
def test_of_two_dockers_the_one_that_pods_use_is_changed(lab: Lab, number: int) -> None:
    node = lab.nodes[number]
    _write(node, "etc/systemd/system/docker-pods.service", _SECOND_UNIT)
    _write(node, "etc/systemd/system/cri-docker.service", _SHIM_UNIT)
    _write(node, "usr/local/bin/cri-dockerd", "#!/bin/sh\nmkfifo /run/shim\nread -r line </run/shim\n", 0o755)
    _write(node, "etc/docker/pods.json", '{"insecure-registries": ["127.0.0.1/8"]}\n')
    node.run("systemctl daemon-reload; systemctl start cri-docker")
    wait_until(lambda: node.succeeds("docker -H unix:///run/docker-pods.sock info"), "it answers", seconds=30)
    before = node.run("systemctl show -p MainPID docker").stdout
    for route in ("daemon-json", "drop-in"):
        changed = _run(lab, node, "apply", "--yes", "--allow-unreachable-registry", "--route", route)
        assert changed["outcome"] == "changed", str(changed)
        assert _ENTRY in node.run("docker -H unix:///run/docker-pods.sock info").stdout
        assert node.succeeds("systemctl is-active cri-docker")
        node.run("echo {} >/etc/docker/pods.json; systemctl restart docker-pods; systemctl start cri-docker")
        wait_until(lambda: node.succeeds("docker -H unix:///run/docker-pods.sock info"), "it answers", seconds=30)
    assert _ENTRY not in node.run("docker info").stdout
    assert node.run("systemctl show -p MainPID docker").stdout == before


@pytest.mark.field("04")
@pytest.mark.parametrize("number", [2, 3])
def test_the_docker_command_is_found_beside_the_daemon(lab: Lab, number: int) -> None:
    node = lab.nodes[number]
    _write(node, "etc/systemd/system/docker.service", _ARCHIVE_UNIT)
    _write(node, "etc/docker/daemon.json", '{"insecure-registries": ["127.0.0.1/8"]}\n')
    node.run(_MOVE)
    assert not node.succeeds("command -v docker")
    changed = _run(lab, node, "apply", "--yes", "--allow-unreachable-registry")
    assert changed["outcome"] == "changed", str(changed)
    assert _ENTRY in node.run("/opt/kube/bin/docker info").stdout
