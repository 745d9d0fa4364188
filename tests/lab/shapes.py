"""The common ways in which a runtime is set up on a Kubernetes node, as files written onto a lab node before it boots.

The texts are written fresh in the shape that the named projects leave behind; only dockerd's path is Debian's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Shape = Literal[
    "docker.io", "kubespray", "docker-ce", "kubekey", "no-docker", "containerd", "containerd-kubespray", "podman"
]

CONTAINERD: tuple[Shape, ...] = ("containerd", "containerd-kubespray")
WITHOUT_DAEMON: tuple[Shape, ...] = ("no-docker", "podman")

# docker-ce's package, https://github.com/moby/moby contrib/init/systemd: no $DOCKER_OPTS (moby#18663).
_DOCKER_CE = {
    "etc/systemd/system/docker.service": """\
[Unit]
Description=Docker Application Container Engine
Documentation=https://docs.docker.com
After=network-online.target docker.socket firewalld.service containerd.service
Wants=network-online.target containerd.service
Requires=docker.socket

[Service]
Type=notify
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
ExecReload=/bin/kill -s HUP $MAINPID
TimeoutStartSec=0
RestartSec=2
Restart=always
StartLimitBurst=3
StartLimitInterval=60s
LimitNOFILE=infinity
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
Delegate=yes
KillMode=process
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
"""
}

# kubespray, roles/container-engine/docker/templates.
_KUBESPRAY = {
    "etc/systemd/system/docker.service": """\
[Unit]
Description=Docker Application Container Engine
Documentation=http://docs.docker.com
After=network.target containerd.service
Wants=containerd.service

[Service]
Type=notify
Environment=GOTRACEBACK=crash
ExecReload=/bin/kill -s HUP $MAINPID
Delegate=yes
KillMode=process
ExecStart=/usr/sbin/dockerd \\
          $DOCKER_OPTS \\
          $DOCKER_STORAGE_OPTIONS \\
          $DOCKER_DNS_OPTIONS
TasksMax=infinity
LimitNOFILE=1048576
LimitNPROC=1048576
LimitCORE=infinity
TimeoutStartSec=1min
# restart the docker process if it exits prematurely
Restart=on-failure
StartLimitBurst=3
StartLimitInterval=60s

[Install]
WantedBy=multi-user.target
""",
    "etc/systemd/system/docker.service.d/docker-options.conf": """\
[Service]
Environment="DOCKER_OPTS= --iptables=false \\
--exec-opt native.cgroupdriver=systemd \\
--insecure-registry=10.233.0.0/18  \\
--data-root=/var/lib/docker \\
--log-opt max-size=50m --log-opt max-file=5"
""",
    "etc/systemd/system/docker.service.d/docker-dns.conf": """\
[Service]
Environment="DOCKER_DNS_OPTIONS=\\
    --dns 10.233.0.3 --dns 10.99.0.1  \\
    --dns-search default.svc.cluster.local --dns-search svc.cluster.local  \\
    --dns-opt ndots:2 --dns-opt timeout:2 --dns-opt attempts:2  \\
"
""",
}

# KubeKey 3, cmd/kk/pkg/container/templates: the unit is bare and daemon.json holds everything.
_KUBEKEY = {
    "etc/systemd/system/docker.service": """\
[Unit]
Description=Docker Application Container Engine
Documentation=https://docs.docker.com
After=containerd.service
Wants=containerd.service

[Service]
Type=notify
ExecStart=/usr/sbin/dockerd  --containerd=/run/containerd/containerd.sock
ExecReload=/bin/kill -s HUP $MAINPID
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Delegate=yes
KillMode=process
Restart=on-failure
StartLimitBurst=3
StartLimitInterval=60s

[Install]
WantedBy=multi-user.target
""",
    "etc/docker/daemon.json": """\
{
  "log-opts": {
    "max-size": "5m",
    "max-file":"3"
  },
  "data-root": "/data/docker",
  "exec-opts": ["native.cgroupdriver=systemd"]
}
""",
}

# Where root may not lower oom_score_adj (no CAP_SYS_RESOURCE, as in many sandboxes) runc cannot start a pod, for which
# containerd asks for -998.
RUNC = """\
#!/bin/sh
bundle=. previous=
for word; do
  case $previous in --bundle | -b) bundle=$word ;; esac
  previous=$word
done
[ ! -f "$bundle/config.json" ] || sed -i 's/"oomScoreAdj":-[0-9][0-9]*/"oomScoreAdj":0/' "$bundle/config.json"
exec /usr/sbin/runc "$@"
"""
# The root of a node is an overlay, on which no other one can be mounted: containerd's are in memory.
_PODS = {"etc/fstab": "tmpfs /var/lib/containerd tmpfs mode=711 0 0\n", "usr/local/sbin/runc": RUNC}

# kubespray 2.27, roles/container-engine/containerd/templates/config.toml.j2, with containerd 1.x.
_CONTAINERD_KUBESPRAY = {
    "etc/containerd/config.toml": """\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
oom_score = 0

[grpc]
  max_recv_message_size = 16777216
  max_send_message_size = 16777216

[debug]
  level = "info"

[metrics]
  address = ""
  grpc_histogram = false

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    max_container_log_line_size = 16384
    enable_unprivileged_ports = false
    enable_unprivileged_icmp = false
    [plugins."io.containerd.grpc.v1.cri".containerd]
      default_runtime_name = "runc"
      snapshotter = "overlayfs"
      discard_unpacked_layers = true
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes]
        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
          runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = "/etc/containerd/certs.d"
""",
    "etc/containerd/certs.d/docker.io/hosts.toml": """\
server = "https://docker.io"
[host."https://registry-1.docker.io"]
  capabilities = ["pull","resolve"]
  skip_verify = false
  override_path = false
""",
}

_FILES: Mapping[Shape, Mapping[str, str]] = {
    "docker.io": {},
    "kubespray": _KUBESPRAY,
    "docker-ce": _DOCKER_CE,
    "kubekey": _KUBEKEY,
    "no-docker": {},
    # as containerd's
    "podman": {"etc/fstab": "tmpfs /var/lib/containers tmpfs mode=711 0 0\n"},
    "containerd": _PODS,
    "containerd-kubespray": {**_PODS, **_CONTAINERD_KUBESPRAY},
}

_SOCKET_WANT = "etc/systemd/system/sockets.target.wants/docker.socket"
_DOCKER = (
    "usr/sbin/dockerd",
    "usr/bin/docker",
    "etc/default/docker",
    "etc/init.d/docker",
    "etc/systemd/system/multi-user.target.wants/docker.service",
    _SOCKET_WANT,
    "lib/systemd/system/docker.service",
    "lib/systemd/system/docker.socket",
)
# Only Debian's own unit and docker-ce's are started through docker.socket.
_ABSENT: Mapping[Shape, tuple[str, ...]] = {
    "docker.io": (),
    "kubespray": (_SOCKET_WANT,),
    "docker-ce": (),
    "kubekey": (_SOCKET_WANT,),
    **dict.fromkeys(CONTAINERD, _DOCKER),
    # only the program is left, which nothing starts
    **dict.fromkeys(WITHOUT_DAEMON, (*_DOCKER, "usr/lib/systemd/system/containerd.service")),
}


def write_shape(root: Path, shape: Shape) -> None:
    """Make the node whose root file system is at `root` one of that shape."""
    for relative in _ABSENT[shape]:
        (root / relative).unlink(missing_ok=True)
    for relative, text in _FILES[shape].items():
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if text.startswith("#!") else 0o644)
