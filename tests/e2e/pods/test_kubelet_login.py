"""A login for kubelet itself: pods of any namespace pull with it, and nothing of it stays when it is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import PULLER

if TYPE_CHECKING:
    from tests.e2e.pods.conftest import Cluster

pytestmark = pytest.mark.needs("cluster")

_FILE = "/var/lib/kubelet/config.json"
_THEIRS = '{"auths": {"other.lan": {"auth": "dGhlbTpzZWNyZXQ="}}}'


def test_pods_pull_with_the_login_of_kubelet_until_it_is_removed(cluster: Cluster) -> None:
    site, (with_docker, with_containerd) = cluster.site, cluster.nodes
    namespace = cluster.create_namespace("kubelet-login")
    run = ("-i", site.lab.write_inventory(), "-c", site.settings(None, ""), "--yes", "-o", "json")
    with_containerd.run(f"umask 077 && cat >{_FILE}", stdin=_THEIRS.encode())
    try:
        applied = site.agent("apply", *run, "--kubelet-login")
        assert applied.code == 0, applied.stdout
        for node in cluster.nodes:
            assert node.run(f"stat -c '%a %U' {_FILE}").stdout == "600 root\n"
            # kubelet reads the file again every five minutes
            node.run("systemctl restart kubelet")
            cluster.create_pod(namespace, node.name, node)
        for node in cluster.nodes:
            cluster.wait_pod(namespace, node.name, "Running")
        assert not cluster.pod(namespace, with_docker.name)["spec"].get("imagePullSecrets")
        shown = applied.stdout + applied.stderr
        assert PULLER.password not in shown
        assert "dGhlbTpzZWNyZXQ=" not in shown
    finally:
        address = ("--registry", site.registry.entry, "--absent", "--yes", "-o", "json")
        removed = site.agent("apply", "-i", site.lab.write_inventory(), *address)
        cluster.api.ask("DELETE", f"/api/v1/namespaces/{namespace}")
        cluster.wait_end_of_namespace(namespace)
        for node in cluster.nodes:
            node.run("systemctl restart kubelet")  # or it offers the login for five more minutes
    assert removed.code == 0, removed.stdout
    assert not with_docker.succeeds(f"ls {_FILE}")
    assert with_containerd.run(f"cat {_FILE}").stdout == _THEIRS
