"""A registry's name for pods: DNS is proven before the node, drifts, is corrected, and is as found at the end.

The API server and the node are real. dnsmasq in the node's network is a stand-in for CoreDNS, a script for kubelet.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.dns_servers import SYSTEM, add_server, add_service, following, remove_servers, running_pod
from tests.cluster.test_dns import COREFILE, read
from tests.lab.dns_node import CLUSTER_DNS, serving_dns
from tests.lab.network import ip

if TYPE_CHECKING:
    from tests.e2e.site import Ended, Site
    from tests.lab.apiserver import RunningApiServer

pytestmark = pytest.mark.needs("nodes", "apiserver", "dnsmasq")

_KUBELET = """
cat >/usr/local/bin/kubelet <<'END'
#!/bin/sh
[ "$1" != --version ] || exec echo Kubernetes v1.20.2
while :; do sleep 60; done
END
chmod 755 /usr/local/bin/kubelet
systemd-run --unit=kubelet-stand-in /usr/local/bin/kubelet --cluster-dns={address}
"""
_ENTRY = "192.168.0.99 harbor.lan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened, in this order; `found` and `left` are the ConfigMap at the beginning and at the end."""

    found: dict[str, Any]
    apply: Ended
    rewritten: Ended
    correct: Ended
    absent: Ended
    left: dict[str, Any]
    daemon_json: tuple[str, str]


@pytest.fixture(scope="module")
def story(site: Site, apiserver: RunningApiServer) -> Story:
    node = site.nodes[2]
    node.run(_KUBELET.format(address=CLUSTER_DNS))
    ip("-n", node.machine, "addr", "add", f"{CLUSTER_DNS}/32", "dev", "lo")
    inventory = site.lab.write_inventory("dns.ini", nodes=[node])
    registry = {"address": "harbor.lan", "resolve": {"address": "192.168.0.99"}}
    settings = site.lab.folder / "dns.yaml"
    settings.write_text(json.dumps({"registries": [registry], "kubeconfig": str(apiserver.kubeconfig())}))
    wish = ("-i", inventory, "-c", settings, "-o", "json")
    remove_servers(apiserver)
    with ExitStack() as stack:
        stack.callback(node.run, "systemctl stop kubelet-stand-in; rm /usr/local/bin/kubelet")
        stack.callback(ip, "-n", node.machine, "addr", "del", f"{CLUSTER_DNS}/32", "dev", "lo")
        stack.callback(remove_servers, apiserver)
        pod = stack.enter_context(running_pod(apiserver, "coredns"))
        theirs = COREFILE.replace("PORT", str(pod.port))
        add_server(apiserver, "coredns", {"Corefile": theirs})
        add_service(apiserver, "coredns", CLUSTER_DNS)
        found = read(apiserver)
        dns = stack.enter_context(serving_dns(node.machine, site.lab.folder))
        stack.enter_context(following(apiserver, dns))

        def reload(*words: str) -> Ended:
            """Run a command during which the pod reads one more text."""
            pod.looks, pod.reads = 0, [True]
            return site.agent(*words, *wish)

        apply = reload("apply", "--yes")
        trusted = node.run("cat /etc/docker/daemon.json", check=False).stdout
        patch = {"data": {"Corefile": theirs}}
        apiserver.ask("PATCH", f"{SYSTEM}/configmaps/coredns", patch, kind="application/merge-patch+json")
        return Story(
            found=found,
            apply=apply,
            rewritten=site.agent("drift", *wish),
            correct=reload("drift", "--correct", "--yes"),
            absent=reload("apply", "--absent", "--registry", "harbor.lan", "--yes"),
            left=read(apiserver),
            daemon_json=(trusted, node.run("cat /etc/docker/daemon.json", check=False).stdout),
        )


def test_the_name_is_proven_from_the_node_before_the_node_changes(story: Story) -> None:
    assert story.apply.code == 0, story.apply.stderr
    (server,) = story.apply.document["dns"]["servers"]
    assert (server["outcome"], server["unproven"]) == ("changed", None)
    assert server["proven"] == ["1 pod loaded the new Corefile", f"1 node got the right answer from {CLUSTER_DNS}"]
    (node,) = story.apply.document["nodes"]
    assert node["outcome"] == "changed"
    assert "harbor.lan" in story.daemon_json[0]
    lines = story.apply.stderr.splitlines()
    asked = next(number for number, line in enumerate(lines) if "asking it from the nodes" in line)
    assert asked < next(number for number, line in enumerate(lines) if line.startswith(f"change {node['node']}"))


def test_a_rewrite_by_the_owner_is_drift_and_is_corrected(story: Story) -> None:
    assert story.rewritten.code == 3, story.rewritten.stderr
    assert story.rewritten.document["dns"]["servers"][0]["status"] == "drift"
    assert story.correct.code == 0, story.correct.stderr
    (server,) = story.correct.document["run"]["dns"]["servers"]
    assert f"+        {_ENTRY}\n" in server["changes"][0]["diff"]
    assert f"1 node got the right answer from {CLUSTER_DNS}" in server["proven"]


def test_absent_leaves_the_configmap_byte_for_byte_as_it_was_found(story: Story) -> None:
    assert story.absent.code == 0, story.absent.stderr
    assert story.left == story.found
    assert "harbor.lan" not in story.daemon_json[1]
