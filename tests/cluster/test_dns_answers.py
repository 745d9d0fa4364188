"""The proof of `dns apply` by DNS itself, asked through the sshd of a node. dnsmasq is a stand-in for CoreDNS there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from harbor_agent.cli.main import app
from harbor_agent.engine.dns.apply import ApplyOptions, apply_cluster_dns
from harbor_agent.engine.dns.ask import find_askers
from harbor_agent.engine.dns.plan import plan_cluster_dns
from harbor_agent.engine.dns.prove import Patience
from harbor_agent.model.result import Outcome
from harbor_agent.transport.ssh.transport import SshTransport
from tests.cluster.dns_servers import add_server, add_service, following, remove_servers, running_pod
from tests.cluster.test_dns import ABSENT, COREFILE, PRESENT, SETTINGS, read
from tests.lab.dns_node import CLUSTER_DNS, dns_node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harbor_agent.engine.dns.report import ServerReport
    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.model.policy import Policy
    from tests.lab.apiserver import RunningApiServer
    from tests.lab.dns_node import DnsNode

pytestmark = pytest.mark.needs("apiserver", "sshd", "root", "dnsmasq")


@pytest.fixture(scope="module")
def node() -> Iterator[DnsNode]:
    with dns_node() as running:
        yield running


@pytest.fixture(autouse=True)
def system(apiserver: RunningApiServer) -> Iterator[None]:
    """A kube-system with CoreDNS and its Service."""
    remove_servers(apiserver)
    add_service(apiserver, "coredns", CLUSTER_DNS)
    yield
    remove_servers(apiserver)


def apply(cluster: Cluster, node: DnsNode, policy: Policy = PRESENT) -> ServerReport:
    transport = SshTransport(forks=1, connect_timeout=5, known_hosts=[node.server.known_hosts])
    options = ApplyOptions(
        patience=Patience(limit=4, interval=0.05, answers=4),
        listener=lambda _: None,
        askers=find_askers(transport, [node.server.node()]),
    )
    (server,) = apply_cluster_dns(cluster, plan_cluster_dns(cluster, policy), options).servers
    transport.close()
    return server


def test_the_command_says_what_proved_the_change(
    apiserver: RunningApiServer, node: DnsNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harbor-agent.yaml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "inventory.ini").write_text(node.inventory, encoding="utf-8")
    with running_pod(apiserver, "coredns", loads=True) as pod, node.serving_dns() as dns, following(apiserver, dns):
        add_server(apiserver, "coredns", {"Corefile": COREFILE.replace("PORT", str(pod.port))})
        words = ["dns", "apply", "--yes", "-i", "inventory.ini", "--kubeconfig", str(apiserver.kubeconfig())]
        ran = CliRunner().invoke(app, [*words, "-o", "json"])
    assert ran.exit_code == 0, ran.output
    (server,) = json.loads(ran.stdout)["servers"]
    assert (server["outcome"], server["unproven"]) == ("changed", None)
    assert server["proven"] == ["1 pod loaded the new Corefile", f"1 node got the right answer from {CLUSTER_DNS}"]


def test_a_wrong_answer_restores_the_old_text(cluster: Cluster, apiserver: RunningApiServer, node: DnsNode) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    found = read(apiserver)
    with node.serving_dns():
        server = apply(cluster, node)
    assert server.outcome is Outcome.ROLLED_BACK
    assert server.problem
    assert server.problem.code == "dns-answer-wrong"
    assert f"node1: {CLUSTER_DNS} answers harbor.lan with NXDOMAIN, not 192.168.0.99" in server.problem.message
    assert read(apiserver) == found


def test_a_server_that_has_the_entry_is_asked_too(cluster: Cluster, apiserver: RunningApiServer, node: DnsNode) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    with node.serving_dns() as dns:
        with following(apiserver, dns):
            apply(cluster, node)
            right = apply(cluster, node)
        dns.answer({"harbor.lan": "10.9.9.9"})
        wrong = apply(cluster, node)
    assert (right.outcome, right.proven) == (Outcome.UNCHANGED, (f"1 node got the right answer from {CLUSTER_DNS}",))
    assert (wrong.outcome, wrong.problem and wrong.problem.code) == (Outcome.FAILED, "dns-answer-wrong")
    silent = apply(cluster, node)
    assert (silent.outcome, silent.proven, silent.unproven) == (Outcome.UNCHANGED, (), None)


def test_a_removal_is_proven_by_a_server_that_still_answers(
    cluster: Cluster, apiserver: RunningApiServer, node: DnsNode
) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    found = read(apiserver)
    with node.serving_dns() as dns, following(apiserver, dns):
        assert apply(cluster, node).proven == (f"1 node got the right answer from {CLUSTER_DNS}",)
        server = apply(cluster, node, ABSENT)
    assert (server.outcome, server.proven) == (Outcome.CHANGED, (f"1 node got an answer from {CLUSTER_DNS}",))
    assert read(apiserver) == found


def test_dns_that_never_answered_and_an_sshd_that_forwards_nothing_leave_the_change_unproven(
    cluster: Cluster, apiserver: RunningApiServer, node: DnsNode
) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    silent = apply(cluster, node)
    apply(cluster, node, ABSENT)
    with dns_node(extra="AllowTcpForwarding no") as closed, closed.serving_dns():
        forbidden = apply(cluster, closed)
    for server, reason in (
        (silent, "port 53/TCP does not answer"),
        (forbidden, "sshd of node1 does not allow forwarding"),
    ):
        assert (server.outcome, server.problem) == (Outcome.CHANGED, None)
        assert server.unproven
        assert server.unproven.code == "dns-not-proven"
        assert reason in server.unproven.message
    assert "192.168.0.99 harbor.lan" in read(apiserver)["data"]["Corefile"]


def test_an_inventory_without_kubelet_leaves_the_change_unproven(cluster: Cluster, apiserver: RunningApiServer) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    with dns_node(kubelet=False) as other:
        server = apply(cluster, other)
    assert server.unproven
    assert "no node of the inventory runs kubelet" in server.unproven.message
