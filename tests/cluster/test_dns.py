"""`dns diff|apply|show` on a real API server: the ConfigMap, its put-back, drift, and the way back byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from harbor_agent.cli.main import app
from harbor_agent.engine.dns.apply import ApplyOptions, apply_cluster_dns
from harbor_agent.engine.dns.plan import plan_cluster_dns, show_cluster_dns
from harbor_agent.engine.dns.prove import Patience
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Policy, Registry, ResolvePolicy
from harbor_agent.model.result import Outcome
from tests.cluster.dns_servers import SYSTEM, add_server, count_changes, remove_servers, rolling_out, running_pod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harbor_agent.engine.dns.report import DnsReport
    from harbor_agent.kubernetes.cluster import Cluster
    from tests.lab.apiserver import RunningApiServer

pytestmark = pytest.mark.needs("apiserver")

SCHEMA = Path(__file__).resolve().parents[2] / "docs/schemas/dns-2.json"
COREFILE = """\
.:53 {
    errors
    kubernetes cluster.local
    prometheus :PORT
    forward . /etc/resolv.conf
    reload
}
"""
ADDRESS = Address.parse("harbor.lan")
PRESENT = Policy(registries=(Registry(address=ADDRESS, resolve=ResolvePolicy(address="192.168.0.99")),))
ABSENT = Policy(registries=(Registry(address=ADDRESS, presence="absent"),))
SETTINGS = "registries:\n  - address: harbor.lan\n    resolve: {address: 192.168.0.99, cluster: auto}\n"


@pytest.fixture(autouse=True)
def system(apiserver: RunningApiServer) -> Iterator[None]:
    """A kube-system without DNS servers, before and after the test."""
    remove_servers(apiserver)
    yield
    remove_servers(apiserver)


def read(apiserver: RunningApiServer, name: str = "coredns") -> dict[str, Any]:
    """The ConfigMap without what the server itself counts up."""
    found = apiserver.ask("GET", f"{SYSTEM}/configmaps/{name}")
    metadata = {
        key: found["metadata"][key] for key in ("name", "uid", "labels", "annotations") if key in found["metadata"]
    }
    return {"metadata": metadata, "data": found.get("data")}


def apply(cluster: Cluster, policy: Policy, report: DnsReport | None = None) -> DnsReport:
    options = ApplyOptions(patience=Patience(limit=4, interval=0.02), listener=lambda _: None)
    return apply_cluster_dns(cluster, report or plan_cluster_dns(cluster, policy), options)


def test_apply_rewrite_drift_correct_and_absent(cluster: Cluster, apiserver: RunningApiServer) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE}, annotations={"note": "of the owner"})
    found = read(apiserver)
    (server,) = apply(cluster, PRESENT).servers
    assert (server.outcome, server.unproven and server.unproven.code) == (Outcome.CHANGED, "dns-not-proven")
    assert "192.168.0.99 harbor.lan" in read(apiserver)["data"]["Corefile"]
    assert plan_cluster_dns(cluster, PRESENT).servers[0].outcome is Outcome.UNCHANGED
    # The owner applies its own text again; an annotation of ours stays.
    patch = {"data": {"Corefile": COREFILE}}
    apiserver.ask("PATCH", f"{SYSTEM}/configmaps/coredns", patch, kind="application/merge-patch+json")
    assert [one.present for one in show_cluster_dns(cluster).servers[0].recorded] == [False]
    apply(cluster, PRESENT)
    assert [one.present for one in show_cluster_dns(cluster).servers[0].recorded] == [True]
    assert apply(cluster, ABSENT).servers[0].outcome is Outcome.CHANGED
    assert read(apiserver) == found


def test_every_pod_that_loads_the_text_proves_it(cluster: Cluster, apiserver: RunningApiServer) -> None:
    with running_pod(apiserver, "coredns", loads=True) as pod:
        add_server(apiserver, "coredns", {"Corefile": COREFILE.replace("PORT", str(pod.port))})
        (server,) = apply(cluster, PRESENT).servers
    assert (server.outcome, server.unproven, server.problem) == (Outcome.CHANGED, None, None)


def test_a_text_that_a_pod_does_not_load_is_replaced_by_the_old_one(
    cluster: Cluster, apiserver: RunningApiServer
) -> None:
    with running_pod(apiserver, "coredns", loads=False) as pod:
        add_server(apiserver, "coredns", {"Corefile": COREFILE.replace("PORT", str(pod.port))})
        found = read(apiserver)
        report = apply(cluster, PRESENT)
    assert report.servers[0].outcome is Outcome.ROLLED_BACK
    assert report.servers[0].problem
    assert report.servers[0].problem.code == "dns-reload-failed"
    assert report.compute_exit_code(accept_unproven=True) == 1
    assert read(apiserver) == found


def test_a_pod_that_does_not_read_the_text_in_time_proves_nothing(
    cluster: Cluster, apiserver: RunningApiServer
) -> None:
    with running_pod(apiserver, "coredns") as pod:
        add_server(apiserver, "coredns", {"Corefile": COREFILE.replace("PORT", str(pod.port))})
        report = apply(cluster, PRESENT)
    assert report.servers[0].unproven
    assert "coredns-1 did not read it within 4 s" in report.servers[0].unproven.message
    assert (report.compute_exit_code(), report.compute_exit_code(accept_unproven=True)) == (1, 0)


def test_an_old_cache_is_changed_if_the_nodes_show_that_nothing_circles(
    cluster: Cluster, apiserver: RunningApiServer
) -> None:
    image = "registry.k8s.io/dns/k8s-dns-node-cache:1.16.0"
    forward = "bind 169.254.25.10\n    forward . 10.0.0.10\n"
    text = f"cluster.local:53 {{\n    {forward}}}\n.:53 {{\n    {forward}    reload\n}}\n"
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    add_server(apiserver, "nodelocaldns", {"Corefile": text}, image=image, kind="daemonsets")
    for nameservers, outcome in ((None, "refused"), (("169.254.25.10",), "refused"), (("10.0.0.53",), "change")):
        _, cache = plan_cluster_dns(cluster, PRESENT, lambda found=nameservers: found).servers
        assert cache.outcome.value == outcome, cache.problem
        assert cache.problem is None or cache.problem.code == "dns-would-circle"


NO_RELOAD = COREFILE.replace("    reload\n", "")


def test_pods_that_do_not_reload_are_restarted_with_consent_only(
    dns: Callable[..., tuple[int, str]], apiserver: RunningApiServer
) -> None:
    add_server(apiserver, "coredns", {"Corefile": NO_RELOAD})
    code, text = dns("diff")
    assert (code, "apply will refuse this change: deployment/coredns would restart" in text) == (0, True), text
    code, text = dns("apply", "--yes")
    assert (code, "[dns-no-reload]" in text, "--accept-restart" in text) == (5, True, True), text
    assert read(apiserver)["data"]["Corefile"] == NO_RELOAD
    with rolling_out(apiserver, "coredns"):
        code, text = dns("apply", "--yes", "--accept-restart")
    assert (code, "every pod of deployment/coredns was replaced and is available" in text) == (0, True), text
    assert "192.168.0.99 harbor.lan" in read(apiserver)["data"]["Corefile"]
    assert count_changes(apiserver, "coredns") == 2


def test_pods_that_do_not_start_with_the_text_get_the_old_one_and_another_restart(
    cluster: Cluster, apiserver: RunningApiServer
) -> None:
    add_server(apiserver, "coredns", {"Corefile": NO_RELOAD})
    found = read(apiserver)
    with rolling_out(apiserver, "coredns", available=False):
        (server,) = apply(cluster, PRESENT).servers
    assert count_changes(apiserver, "coredns") == 3
    assert server.outcome is Outcome.ROLLED_BACK
    assert server.problem
    assert server.problem.code == "dns-reload-failed"
    assert "the pods of deployment/coredns were not replaced by available ones" in server.problem.message
    assert read(apiserver) == found


def test_a_text_that_changed_after_the_plan_is_left_alone(cluster: Cluster, apiserver: RunningApiServer) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    report = plan_cluster_dns(cluster, PRESENT)
    patch = {"data": {"Corefile": COREFILE + "# edited\n"}}
    apiserver.ask("PATCH", f"{SYSTEM}/configmaps/coredns", patch, kind="application/merge-patch+json")
    (server,) = apply(cluster, PRESENT, report).servers
    assert server.outcome is Outcome.FAILED
    assert server.problem
    assert server.problem.code == "cluster-conflict"
    assert read(apiserver)["data"]["Corefile"] == COREFILE + "# edited\n"


def test_a_custom_configmap_is_created_and_deleted(cluster: Cluster, apiserver: RunningApiServer) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE + "import /etc/coredns/custom/*.server\n"})
    found = read(apiserver)
    apply(cluster, PRESENT)
    assert "192.168.0.99 harbor.lan" in read(apiserver, "coredns-custom")["data"]["harbor-agent.server"]
    assert read(apiserver) == found
    apply(cluster, ABSENT)
    names = [one["metadata"]["name"] for one in apiserver.ask("GET", f"{SYSTEM}/configmaps")["items"]]
    assert "coredns-custom" not in names


def test_a_refusal_of_one_server_changes_none(cluster: Cluster, apiserver: RunningApiServer) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    helm = {"labels": {"app.kubernetes.io/managed-by": "Helm"}}
    image = "registry.k8s.io/dns/k8s-dns-node-cache:1.22.20"
    add_server(apiserver, "node-local-dns", {"Corefile": COREFILE}, image=image, kind="daemonsets", **helm)
    found = read(apiserver)
    report = apply(cluster, PRESENT)
    assert [server.name for server in report.servers] == ["deployment/coredns", "daemonset/node-local-dns"]
    assert [server.outcome for server in report.servers] == [Outcome.PENDING, Outcome.REFUSED]
    assert (report.compute_exit_code(), read(apiserver)) == (5, found)


@pytest.fixture
def dns(apiserver: RunningApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run a command of `dns`; return its exit code and everything it printed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harbor-agent.yaml").write_text(SETTINGS, encoding="utf-8")

    def run(*words: str, user: str = "admin") -> tuple[int, str]:
        ran = CliRunner().invoke(app, ["dns", *words, "--kubeconfig", str(apiserver.kubeconfig(user))])
        return ran.exit_code, ran.output

    return run


def test_the_commands_show_the_diff_and_the_way_back(
    dns: Callable[..., tuple[int, str]], apiserver: RunningApiServer
) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    code, text = dns("diff", "--exit-code")
    assert code == 3
    assert "+++ kube-system/coredns Corefile\n" in text
    assert "+        192.168.0.99 harbor.lan\n" in text
    code, text = dns("apply", "--yes")
    assert (code, "[dns-not-proven]" in text) == (1, True), text
    code, text = dns("show")
    assert (code, "harbor.lan 192.168.0.99  Corefile  present" in text) == (0, True), text
    code, text = dns("apply", "--yes")
    assert (code, "unchanged" in text) == (0, True), text
    code, text = dns("apply", "--absent", "--registry", "harbor.lan", "--yes", "--accept-unproven")
    assert (code, "changed" in text) == (0, True), text
    assert read(apiserver)["data"]["Corefile"] == COREFILE


def test_the_documents_fit_their_schema(dns: Callable[..., tuple[int, str]], apiserver: RunningApiServer) -> None:
    def ask(*words: str) -> dict[str, Any]:
        code, text = dns(*words, "-o", "json")
        document = json.loads(text[text.rindex("{", 0, text.index('"schema"')) :])
        Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(document)
        assert document["exit_code"] == code
        (server,) = document["servers"]
        return dict(server)

    add_server(apiserver, "coredns", {"Corefile": COREFILE}, labels={"app.kubernetes.io/managed-by": "Helm"})
    assert (ask("diff")["outcome"], ask("diff")["code"]) == ("refused", "dns-owned-by-helm")
    remove_servers(apiserver)
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    (change,) = ask("diff")["changes"]
    assert change["config_map"] == "kube-system/coredns"
    assert "+        192.168.0.99 harbor.lan\n" in change["diff"]
    assert ask("apply", "--yes")["unproven"]["code"] == "dns-not-proven"
    entry = {"name": "harbor.lan", "address": "192.168.0.99", "key": "Corefile", "present": True, "edited": False}
    assert ask("show")["entries"] == [entry]


def test_a_cluster_without_coredns_and_a_user_without_rights(
    dns: Callable[..., tuple[int, str]], apiserver: RunningApiServer
) -> None:
    code, text = dns("diff")
    assert (code, "[dns-not-coredns]" in text) == (1, True), text
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    add_server(apiserver, "second", {"Corefile": COREFILE})
    code, text = dns("diff")
    assert (code, "deployment/coredns, deployment/second" in text) == (1, True), text
    code, text = dns("diff", user="limited")
    assert (code, "[cluster-forbidden]" in text, "apiGroups: [apps]" in text) == (1, True, True), text


def test_a_user_who_may_not_read_pods_is_shown_the_role(
    dns: Callable[..., tuple[int, str]], apiserver: RunningApiServer
) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    apiserver.grant("kube-system", "configmaps", ("get", "patch"))
    apiserver.grant("kube-system", "deployments", ("list",), group="apps")
    apiserver.grant("kube-system", "daemonsets", ("list",), group="apps")
    code, text = dns("apply", "--yes", user="limited")
    assert (code, "[dns-not-proven]" in text, "resources: [pods]\n" in text) == (1, True, True), text
    assert "192.168.0.99 harbor.lan" in read(apiserver)["data"]["Corefile"]
