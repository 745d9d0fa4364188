"""Only what is observed on a node decides: no path, product or case name in planning or formats does.

Every path that the code does name is a documented default of systemd or dockerd, and listed here.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
# These read what was asked for, order the nodes, and look at manifests; they see nothing that is on a node.
ELSEWHERE = {
    *("config/schema.py", "rollout/waves.py", "secrets/manifests.py", "secrets/retention.py", "yaml/workloads.py"),
    *("config/merge.py", "dns/advice.py", "dns/owner.py", "formats/pull_secret.py", "secrets/kubesphere.py"),
}
FILES = [path for room in ("planning", "formats") for path in (ROOT / "agent/harbor_agent" / room).rglob("*.py")]
MODULES = sorted(path for path in FILES if f"{path.parent.name}/{path.name}" not in ELSEWHERE)
CASES = {folder.name for folder in (ROOT / "tests/cases/docker").iterdir() if folder.is_dir()}
PRODUCTS = re.compile(
    r"kubespray|kubekey|kubesphere|flatcar|coreos|rhel|red.?hat|centos|fedora|ubuntu|debian|amazon|\beks\b|"
    r"openshift|openeuler|\b(?:open)?suse\b|flannel|harbor(?!-agent)|\bsnap\b|alpine|photon|rancher",
    re.IGNORECASE,
)
PATH = re.compile(r"/[A-Za-z]")
ALLOWED = {
    # systemd.unit(5), the unit load path, and what a specifier stands for
    *(
        "/etc/systemd/system.control",
        "/run/systemd/system.control",
        "/run/systemd/transient",
        "/run/systemd/generator.early",
    ),
    *("/etc/systemd/system", "/etc/systemd/system.attached", "/run/systemd/system", "/run/systemd/system.attached"),
    *("/run/systemd/generator", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"),
    *("/run/systemd/generator.late", "/service.d", "/dev/null", "/lib", "/lib/", "/usr"),
    *("/run", "/var/lib", "/var/cache", "/var/log", "/etc", "/root"),
    # what is made anew at each boot
    *("/run/", "/var/run/", "/dev/", "/tmp/"),
    # dockerd's own defaults, and what `snap run` gives it (rule DD-12)
    "/etc/docker/certs.d",
    *("/etc/docker/daemon.json", "snap", "/var/snap/", "/current/config/daemon.json"),
    # kubelet's default from 1.24 on, and those of k3s, which starts its runtime on its own
    *("/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock"),
    *("/run/k3s/cri-dockerd/cri-dockerd.sock", "/var"),
    # containers-registries.conf(5), crio.conf(5), and where OpenShift's daemon keeps what it manages
    "/etc/containers/certs.d",
    *("/etc/containers/registries.conf", "/etc/containers/registries.conf.d", "/etc/crio/crio.conf"),
    *("/etc/crio/crio.conf.d", "/etc/machine-config-daemon/currentconfig"),
    *("/root/.config/containers/registries.conf", "/root/.config/containers/registries.conf.d", "/home"),
    "/.config/containers/registries.conf",
    # containerd's own defaults (containerd-config.toml(5), docs/hosts.md)
    *("/etc/containerd/certs.d", "/etc/containerd/certs.d:/etc/docker/certs.d"),
    # what k3s and RKE2 read and write (docs.k3s.io, docs.rke2.io), in the configuration folder and the data directory
    *(
        "/etc/rancher/",
        "/var/lib/rancher/",
        "/registries.yaml",
        "/registries.yml",
        "/config.yaml",
        "/config.yaml.d",
        "/config.yaml.d/",
    ),
    *("/agent/etc/containerd", "/agent/etc/containerd/config.toml", "/config.toml"),
    # where MicroK8s and k0s have containerd's configuration (microk8s.io/docs, docs.k0sproject.io)
    *("/var/snap/microk8s/current/args/containerd-template.toml", "snap.microk8s.daemon-containerd.service"),
    *("/var/snap/[^/]+/[^/]+/args/containerd\\.toml", "/etc/k0s/containerd.toml"),
    # hosts(5), nsswitch.conf(5), and cloud-init's configuration (cc_update_etc_hosts)
    *("/etc/hosts", "/etc/nsswitch.conf", "/etc/cloud", "/cloud.cfg", "/cloud.cfg.d", "/cloud-init.disabled"),
    *("/cloud.cfg.d/",),
    # the two trust stores, update-ca-certificates(8) and update-ca-trust(8), and the probe's words for them
    *("/usr/local/share/ca-certificates", "/usr/sbin/update-ca-certificates", "debian"),
    *("/etc/pki/ca-trust/source/anchors", "/usr/bin/update-ca-trust", "redhat", "/harbor-agent-"),
    # the folder of the Corefile in CoreDNS's and node-cache's manifests
    "/etc/coredns",
    # paths in the pod of a check in the cluster, and the version of an API
    *("/var/lib/harbor-agent", "/etc/harbor-agent", "/tmp", "/.ssh", "/inventory", "/state", "/v1"),
    # what every registry answers at, in a message
    "/v2/",
    # a setting: the CA that Harbor itself offers
    "ca_from_harbor",
    # a problem's code, which is a case's name too
    "unit-masked",
}


def constants(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield the texts that are no docstrings and nothing that people are told (those have several words)."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node


def test_every_module_is_looked_at() -> None:
    assert len(MODULES) >= 45


@pytest.mark.parametrize("module", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_name_decides(module: Path) -> None:
    for node in constants(ast.parse(module.read_text(encoding="utf-8"))):
        text = str(node.value)
        if text in ALLOWED or len(text.split()) > 2:
            continue
        assert text not in CASES, f"line {node.lineno} names the case {text}"
        assert not PATH.match(text), f"line {node.lineno} names the path {text}"
        assert not PRODUCTS.search(text), f"line {node.lineno} names a product: {text}"
