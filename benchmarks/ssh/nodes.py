"""Loopback hosts that look like Docker nodes to whoever logs in: real sshd, real shell, and a root made of files."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.shapes import write_shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.shapes import Shape

ADDRESSES_OF_ONE_SSHD = 16
DAEMON_PID = 4242

# A bind of the machine's /usr, and over it what makes the node; sshd sees nothing else of the machine.
START = """
set -e
cd "$1"
mount --bind /usr usr
[ ! -d usr/lib/systemd/system ] || mount -t tmpfs none usr/lib/systemd/system
mount --bind /dev dev
exec chroot . /usr/sbin/sshd -D -f /etc/ssh/sshd_config
"""
CONFIG = """
Port {port}
PidFile none
Subsystem sftp internal-sftp
UsePAM no
StrictModes no
PermitRootLogin yes
MaxStartups 1000
HostKey /etc/ssh/host
AuthorizedKeysFile /etc/ssh/client.pub
SetEnv PATH=/stubs:/usr/sbin:/usr/bin
LogLevel ERROR
"""
DOCKER_IO = """\
[Unit]
Description=Docker Application Container Engine
Documentation=https://docs.docker.com
After=network-online.target docker.socket firewalld.service containerd.service
Wants=network-online.target containerd.service
Requires=docker.socket

[Service]
Type=notify
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
ExecReload=/bin/kill -s HUP $MAINPID
LimitNOFILE=1048576
TasksMax=infinity
TimeoutStartSec=0
Delegate=yes
KillMode=process
Restart=always
StartLimitBurst=3
StartLimitInterval=60s

[Install]
WantedBy=multi-user.target
"""
# What dockerd runs with in each shape: what systemd makes of the files.
ARGV: dict[Shape, str] = {
    "docker.io": "-H fd:// --containerd=/run/containerd/containerd.sock",
    "docker-ce": "-H fd:// --containerd=/run/containerd/containerd.sock",
    "kubekey": "--containerd=/run/containerd/containerd.sock",
    "kubespray": "--iptables=false --exec-opt native.cgroupdriver=systemd --insecure-registry=10.233.0.0/18 "
    "--data-root=/var/lib/docker --log-opt max-size=50m --log-opt max-file=5 --dns 10.233.0.3 --dns 10.99.0.1 "
    "--dns-search default.svc.cluster.local --dns-search svc.cluster.local "
    "--dns-opt ndots:2 --dns-opt timeout:2 --dns-opt attempts:2",
}
REGISTRIES = {"InsecureRegistryCIDRs": ["127.0.0.0/8", "10.233.0.0/18"], "IndexConfigs": {}, "Mirrors": None}
CONTAINERS = "".join(
    json.dumps([f"/k8s_app_web-{number}", "nginx:1.25", "no", f"pod-{number}"]) + "\n" for number in range(8)
)
STUBS = {
    "systemctl": f"""\
case $1 in
  --version) echo 'systemd 252 (252.38-1~deb12u1)' ;;
  is-active) exit 3 ;;
  show) [ "$2" = docker.service ] || exit 0
    drop_ins=$(echo /etc/systemd/system/docker.service.d/*.conf)
    case $drop_ins in *'*'*) drop_ins= ;; esac
    cat <<END
Id=docker.service
LoadState=loaded
ActiveState=active
UnitFileState=enabled
FragmentPath=/etc/systemd/system/docker.service
DropInPaths=$drop_ins
NeedDaemonReload=no
MainPID={DAEMON_PID}
END
esac
""",
    "docker": f"""\
case $1 in
  info) cat /stubs/registries.json; printf 'false\\n"20.10.24"\\n"inactive"\\n' ;;
  ps) seq 8 ;;
  inspect) cat <<'END'
{CONTAINERS}END
esac
""",
    "curl": "echo 'HTTP/1 401'\n",
}


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """Where the hosts listen. `home` has the client's key (`client`), and .ssh/known_hosts with all of them.

    `roots` are the folders that are the hosts' file systems, each with the first of the addresses that share it;
    behind `proxy_port` known_hosts has the same hosts, for whoever listens there and passes on.
    """

    home: Path
    port: int
    proxy_port: int
    addresses: tuple[str, ...]
    roots: dict[Path, str]


@contextmanager
def serving(count: int) -> Iterator[Hosts]:
    """Run `count` hosts, a quarter of each shape as near as servers of sixteen addresses allow. Needs root."""
    addresses = tuple(f"127.0.{1 + number // 250}.{1 + number % 250}" for number in range(count))
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        home = Path(name)
        for key in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / key)], check=True)
        port, proxy_port = free_ports(addresses[0])
        kind, key, *_ = (home / "host.pub").read_text().split()
        (home / ".ssh").mkdir()
        known_hosts = "".join(
            f"[{address}]:{port} {kind} {key}\n[{address}]:{proxy_port} {kind} {key}\n" for address in addresses
        )
        (home / ".ssh/known_hosts").write_text(known_hosts)
        shapes = list(ARGV)
        roots: dict[Path, str] = {}
        for number, first in enumerate(range(0, count, ADDRESSES_OF_ONE_SSHD)):
            root = home / f"node-{number}"
            roots[root] = addresses[first]
            write_node(root, shapes[number % len(shapes)])
            for key in ("host", "client.pub"):
                shutil.copy(home / key, root / "etc/ssh")
            listen = "".join(f"ListenAddress {address}\n" for address in addresses[first:][:ADDRESSES_OF_ONE_SSHD])
            (root / "etc/ssh/sshd_config").write_text(CONFIG.format(port=port) + listen)
            start = ["unshare", "--mount", "/bin/sh", "-c", START, "sh", str(root)]
            server = subprocess.Popen(start, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(server.wait)
            stack.callback(server.terminate)
        wait_until_listening(addresses, port)
        yield Hosts(home=home, port=port, proxy_port=proxy_port, addresses=addresses, roots=roots)


def free_ports(address: str) -> tuple[int, int]:
    with socket.create_server((address, 0)) as one, socket.create_server((address, 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def write_node(root: Path, shape: Shape) -> None:
    for folder in ("usr", "dev", "root", "tmp", "stubs", "etc/ssh", "etc/docker", "run/sshd", "run/systemd/system"):
        (root / folder).mkdir(parents=True)
    for path in (Path("/bin"), Path("/sbin"), *Path("/").glob("lib*")):
        (root / path.name).symlink_to(path.readlink())
    (root / "etc/systemd/system").mkdir(parents=True)
    (root / "etc/systemd/system/docker.service").write_text(DOCKER_IO)
    write_shape(root, shape)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nsshd:x:100:100::/run/sshd:/usr/sbin/nologin\n")
    (root / "etc/shadow").write_text("root:*:19000:0:99999:7:::\n")
    shutil.copy("/etc/ld.so.cache", root / "etc")
    shutil.copy("/etc/os-release", root / "etc")
    for name, text in STUBS.items():
        (root / "stubs" / name).write_text(f"#!/bin/sh\n{text}")
        (root / "stubs" / name).chmod(0o755)
    (root / "stubs/registries.json").write_text(json.dumps(REGISTRIES) + "\n")
    write_processes(root / "proc")
    write_argv(root, ["/usr/sbin/dockerd", *ARGV[shape].split()])


def write_argv(root: Path, dockerd: list[str]) -> None:
    """Have the host's dockerd run with this argument vector."""
    (root / f"proc/{DAEMON_PID}/cmdline").write_text("\0".join([*dockerd, ""]))


def write_processes(proc: Path) -> None:
    daemon = proc / str(DAEMON_PID)
    daemon.mkdir(parents=True)
    (daemon / "environ").write_text("LANG=C.UTF-8\0PATH=/usr/sbin:/usr/bin\0")
    (daemon / "exe").symlink_to("/usr/sbin/dockerd")
    boot = proc / "sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("5b0b1d58-a5a6-4c0d-8f1c-6fb1a8b7f7c1\n")


def wait_until_listening(addresses: tuple[str, ...], port: int) -> None:
    end = time.monotonic() + 20
    for address in addresses:
        while True:
            try:
                socket.create_connection((address, port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)


def can_serve() -> bool:
    """Whether this machine has what `serving` needs: root, sshd, and /usr with everything in it."""
    return os.geteuid() == 0 and Path("/usr/sbin/sshd").exists() and Path("/bin").is_symlink()
