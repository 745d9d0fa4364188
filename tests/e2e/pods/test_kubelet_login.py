"""A login for kubelet itself: pods of any namespace pull with it, and nothing of it stays when it is removed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent import resources
from tests.e2e.site import PULLER

if TYPE_CHECKING:
    import subprocess

    from tests.e2e.pods.conftest import Cluster

pytestmark = pytest.mark.needs("cluster")

_FILE = "/var/lib/kubelet/config.json"
_THEIRS = '{"auths": {"other.lan": {"auth": "dGhlbTpzZWNyZXQ="}}}'
_BIN = Path(sys.executable).parent


def apply_with_playbook(cluster: Cluster, settings: Path) -> subprocess.CompletedProcess[str]:
    lab = cluster.site.lab
    playbook = ("-i", str(lab.write_inventory()), str(resources.find_playbook("site.yml")), "--diff", "-v")
    variables = json.dumps({"harbor_agent_config": str(settings), "harbor_agent_accept_restart": True})
    environment = {"PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}", "HARBOR_PASSWORD": PULLER.password}
    argv = [str(_BIN / "ansible-playbook"), *playbook, "-e", variables]
    return lab.run(argv, cwd=lab.home, env=environment)


def test_pods_pull_with_the_login_of_kubelet_until_it_is_removed(cluster: Cluster) -> None:
    """Written by the playbook, restored by a correction, and removed through Ansible."""
    site, (with_docker, with_containerd) = cluster.site, cluster.nodes
    namespace, inventory = cluster.create_namespace("kubelet-login"), site.lab.write_inventory()
    settings = site.settings(None, "")
    document = json.loads(settings.read_text())
    document["registries"][0]["kubelet_login"] = True
    settings.write_text(json.dumps(document))
    with_containerd.run(f"umask 022 && cat >{_FILE}", stdin=_THEIRS.encode())
    try:
        applied = apply_with_playbook(cluster, settings)
        assert applied.returncode == 0, applied.stdout + applied.stderr
        assert '"proof": "pull"' in applied.stdout
        for node in cluster.nodes:
            assert node.run(f"stat -c '%a %U' {_FILE}").stdout == "600 root\n"
        with_docker.run(f"rm {_FILE}")
        corrected = site.agent("drift", "-i", inventory, "-c", settings, "--correct", "--yes", "-o", "json")
        assert corrected.code == 0, corrected.stdout + corrected.stderr
        assert corrected.node(with_docker.name)["reason"] == f"{_FILE} is missing"
        for node in cluster.nodes:
            # kubelet reads the file again every five minutes
            node.run("systemctl restart kubelet")
            cluster.create_pod(namespace, node.name, node)
        for node in cluster.nodes:
            cluster.wait_pod(namespace, node.name, "Running")
        assert not cluster.pod(namespace, with_docker.name)["spec"].get("imagePullSecrets")
        shown = applied.stdout + applied.stderr + corrected.stdout + corrected.stderr
        assert PULLER.password not in shown
        assert "dGhlbTpzZWNyZXQ=" not in shown
    finally:
        address = ("--registry", site.registry.entry, "--absent", "--transport", "ansible", "--yes", "-o", "json")
        removed = site.agent("apply", "-i", inventory, *address)
        cluster.api.ask("DELETE", f"/api/v1/namespaces/{namespace}")
        cluster.wait_end_of_namespace(namespace)
        for node in cluster.nodes:
            node.run("systemctl restart kubelet")  # or it offers the login for five more minutes
    assert removed.code == 0, removed.stdout
    assert not with_docker.succeeds(f"ls {_FILE}")
    assert with_containerd.run(f"cat {_FILE}; stat -c %a {_FILE}").stdout == f"{_THEIRS}644\n"
