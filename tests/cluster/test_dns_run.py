"""The cluster's DNS as part of `plan`, `apply` and `rollback`, on a real API server; the runs change no node."""

from __future__ import annotations

import base64
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from harbor_agent.cli.main import app
from tests.cluster.dns_servers import SYSTEM, add_server, remove_servers, running_pod
from tests.cluster.test_dns import COREFILE, SETTINGS, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.apiserver import RunningApiServer

    Run = Callable[..., tuple[int, str]]

pytestmark = pytest.mark.needs("apiserver")

SCHEMAS = Path(__file__).resolve().parents[2] / "docs/schemas"
ENTRY = "192.168.0.99 harbor.lan"


@pytest.fixture(autouse=True)
def system(apiserver: RunningApiServer) -> Iterator[None]:
    remove_servers(apiserver)
    yield
    remove_servers(apiserver)


@pytest.fixture
def run(apiserver: RunningApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with the cluster's kubeconfig in the settings; return its exit code and standard output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "harbor-agent.yaml").write_text(f"{SETTINGS}kubeconfig: {apiserver.kubeconfig()}\n", encoding="utf-8")
    (tmp_path / "inventory.ini").write_text("node1 harbor_skip='no part of this test'\n", encoding="utf-8")

    def invoke(*words: str) -> tuple[int, str]:
        ran = CliRunner().invoke(app, list(words))
        return ran.exit_code, ran.stdout

    return invoke


def read_document(text: str, schema: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    Draft202012Validator(json.loads((SCHEMAS / f"{schema}.json").read_text(encoding="utf-8"))).validate(document)
    return document


def name_other_cluster(apiserver: RunningApiServer) -> str:
    """Write settings whose kubeconfig has one more line in the CA: as through a tunnel, another cluster at this URL."""
    kubeconfig = yaml.safe_load(apiserver.kubeconfig().read_text(encoding="utf-8"))
    cluster = kubeconfig["clusters"][0]["cluster"]
    cluster["certificate-authority-data"] = base64.b64encode(apiserver.authority + b"\n").decode()
    Path("west.conf").write_text(yaml.safe_dump(kubeconfig), encoding="utf-8")
    Path("west.yaml").write_text(f"{SETTINGS}kubeconfig: {Path('west.conf').absolute()}\n", encoding="utf-8")
    return "west.yaml"


def edit(apiserver: RunningApiServer, text: str) -> None:
    patch = {"data": {"Corefile": text}}
    apiserver.ask("PATCH", f"{SYSTEM}/configmaps/coredns", patch, kind="application/merge-patch+json")


NODES = ("-i", "inventory.ini")
APPLY = ("--yes", "--accept-unproven", "-o", "json")


def test_a_plan_shows_the_change_and_an_apply_carries_out_exactly_that(run: Run, apiserver: RunningApiServer) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    found = read(apiserver)
    code, text = run("plan", *NODES, "--exit-code", "--out", "change.plan", "-o", "json")
    (server,) = read_document(text, "plan-2")["dns"]["servers"]
    assert (code, server["outcome"]) == (3, "change")
    assert f"+        {ENTRY}\n" in server["changes"][0]["diff"]
    assert f"+        {ENTRY}\n" in run("plan", *NODES)[1]
    _, text = run("plan", "show", "change.plan", "-o", "json")
    (approved,) = read_document(text, "plan-file-2")["dns"]
    assert (approved["config_map"], ENTRY in Path("change.plan").read_text()) == ("kube-system/coredns", False)
    assert "ConfigMap kube-system/coredns: " in run("plan", "show", "change.plan")[1]

    edit(apiserver, f"{COREFILE}# edited\n")
    code, text = run("apply", "change.plan", *APPLY)
    (server,) = read_document(text, "run-2")["dns"]["servers"]
    assert (code, server["outcome"], server["code"]) == (5, "refused", "plan-stale")
    assert read(apiserver)["data"]["Corefile"] == f"{COREFILE}# edited\n"

    edit(apiserver, COREFILE)
    code, text = run("apply", "change.plan", *APPLY)
    applied = read_document(text, "run-2")
    (server,) = applied["dns"]["servers"]
    assert (code, server["outcome"], server["unproven"]["code"]) == (0, "changed", "dns-not-proven")
    assert ENTRY in read(apiserver)["data"]["Corefile"]
    _, text = run("history", "show", applied["run_id"], "-o", "json")
    (past,) = read_document(text, "runs-2")["runs"][0]["config_maps"]
    cluster = past.pop("cluster")
    assert past == {key: approved[key] for key in ("server", "config_map", "before", "after")} | {"outcome": "changed"}
    assert cluster.startswith(f"{apiserver.url} ")
    assert (
        f"ConfigMap kube-system/coredns (deployment/coredns, {apiserver.url})  changed"
        in run(*("history", "show", applied["run_id"]))[1]
    )
    other = name_other_cluster(apiserver)
    code, text = run("rollback", applied["run_id"], "-c", other, *NODES, *APPLY)
    assert (code, read_document(text, "run-2")["dns"]["code"]) == (1, "rollback-other-cluster")
    assert ENTRY in read(apiserver)["data"]["Corefile"]
    assert ENTRY.encode() not in Path("state/harbor-agent/history.sqlite3").read_bytes()

    code, text = run("apply", *NODES, *APPLY)
    assert (code, read_document(text, "run-2")["dns"]["servers"][0]["outcome"]) == (0, "unchanged")
    code, text = run("rollback", applied["run_id"], *NODES, *APPLY)
    assert (code, read_document(text, "run-2")["dns"]["servers"][0]["outcome"]) == (0, "changed")
    assert read(apiserver) == found
    code, text = run("rollback", applied["run_id"], *NODES, *APPLY)
    assert (code, read_document(text, "run-2")["dns"]["servers"][0]["outcome"]) == (0, "unchanged")


def test_without_a_proof_the_run_ends_before_its_nodes(run: Run, apiserver: RunningApiServer) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    code, text = run("apply", *NODES, "--yes", "-o", "json")
    document = read_document(text, "run-2")
    assert (code, document["exit_code"]) == (1, 1)
    assert document["halted"].startswith("the cluster's DNS: ConfigMap kube-system/coredns was changed, but")


def test_a_cluster_that_cannot_be_read_or_whose_dns_is_refused_ends_the_run(
    run: Run, apiserver: RunningApiServer
) -> None:
    code, text = run("plan", *NODES, "-o", "json")
    document = read_document(text, "plan-2")
    assert (code, document["dns"]["code"], document["dns"]["servers"]) == (1, "dns-not-coredns", [])
    code, text = run("apply", *NODES, *APPLY)
    assert (code, read_document(text, "run-2")["dns"]["code"]) == (1, "dns-not-coredns")
    add_server(apiserver, "coredns", {"Corefile": COREFILE}, labels={"app.kubernetes.io/managed-by": "Helm"})
    code, text = run("apply", *NODES, *APPLY)
    document = read_document(text, "run-2")
    assert (code, document["dns"]["servers"][0]["code"]) == (5, "dns-owned-by-helm")
    assert "belongs to the Helm release" in document["halted"]


def test_a_run_of_dns_apply_is_rolled_back_unless_the_text_was_edited(run: Run, apiserver: RunningApiServer) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    found = read(apiserver)
    kubeconfig = ("--kubeconfig", str(apiserver.kubeconfig()))
    code, text = run("dns", "apply", *APPLY, *kubeconfig)
    applied = read_document(text, "dns-2")["run_id"]
    _, text = run("history", "show", applied, "-o", "json")
    assert (code, read_document(text, "runs-2")["runs"][0]["kind"]) == (0, "dns")
    text = read(apiserver)["data"]["Corefile"]
    edit(apiserver, f"# by hand\n{text}")
    code, output = run("rollback", applied, *APPLY)
    assert (code, read_document(output, "run-2")["dns"]["servers"][0]["code"]) == (5, "rollback-edited")
    edit(apiserver, text)
    code, _ = run("rollback", applied, *APPLY)
    assert (code, read(apiserver)) == (0, found)
    code, text = run("apply", "--resume", applied, "--yes")
    assert code == 2


def test_a_rewrite_is_drift_that_is_corrected_once_and_a_second_one_is_a_fight(
    run: Run, apiserver: RunningApiServer
) -> None:
    def drift(*words: str) -> tuple[int, dict[str, Any]]:
        code, text = run("drift", *NODES, "-o", "json", *words)
        return code, read_document(text, "drift-2")

    with running_pod(apiserver, "coredns") as pod:
        theirs = COREFILE.replace("PORT", str(pod.port))
        add_server(apiserver, "coredns", {"Corefile": theirs})
        found = read(apiserver)
        code, document = drift()
        assert (code, document["dns"]["servers"][0]["status"]) == (3, "unmanaged")
        pod.looks, pod.reads = 0, [True]
        assert run("apply", *NODES, "--yes")[0] == 0
        ours = read(apiserver)["data"]["Corefile"]
        assert (drift()[0], ENTRY in ours) == (0, True)

        edit(apiserver, f"# by hand\n{ours}")
        code, document = drift()
        (entry,) = document["dns"]["servers"][0]["entries"]
        assert (code, entry["present"], entry["edited"]) == (0, True, True)

        edit(apiserver, theirs)
        code, document = drift()
        (server,) = document["dns"]["servers"]
        assert (code, server["status"]) == (3, "drift")
        assert server["reason"] == "another program rewrote ConfigMap kube-system/coredns: harbor.lan is missing"
        pod.looks, pod.reads = 0, [True]
        code, document = drift("--correct", "--yes")
        assert (code, document["run"]["dns"]["servers"][0]["outcome"]) == (0, "changed"), document
        assert (read(apiserver)["data"]["Corefile"], drift()[0]) == (ours, 0)

        edit(apiserver, theirs)
        code, document = drift("--correct", "--yes")
        assert (code, document["dns"]["servers"][0]["code"], document["run"]) == (5, "dns-owner-rewrites", None)
        assert read(apiserver)["data"]["Corefile"] == theirs
        other = name_other_cluster(apiserver)
        assert drift("-c", other)[1]["dns"]["servers"][0]["quarantined_since"] is None
        pod.looks, pod.reads = 0, [True]
        assert drift("--correct", "--yes", "-c", other)[0] == 0
        edit(apiserver, theirs)
        code, document = drift("--correct", "--yes", "-c", other)
        assert (code, document["dns"]["servers"][0]["code"]) == (5, "dns-owner-rewrites")
        # Now two have the name, and each hint releases its own.
        assert run("drift", "release", "kube-system/coredns")[0] == 2
        hint = drift("--correct", "--yes")[1]["dns"]["servers"][0]["hint"]
        assert f"'kube-system/coredns@{apiserver.url} " in hint
        assert run(*shlex.split(hint.rpartition("run harbor-agent ")[2]))[0] == 0
        assert drift("-c", other)[1]["dns"]["servers"][0]["quarantined_since"] is not None
        assert drift()[1]["dns"]["servers"][0]["quarantined_since"] is None

        pod.looks, pod.reads = 0, [True]
        assert drift("--correct", "--yes")[0] == 0
        pod.looks, pod.reads = 0, [True]
        assert run("apply", *NODES, "--yes", "--absent", "--registry", "harbor.lan")[0] == 0
    assert read(apiserver) == found


def test_a_configmap_that_was_replaced_with_its_annotation_is_known_by_the_history(
    run: Run, apiserver: RunningApiServer
) -> None:
    def replace_config_map() -> None:
        apiserver.ask("DELETE", f"{SYSTEM}/configmaps/coredns")
        fresh = {"metadata": {"name": "coredns"}, "data": {"Corefile": COREFILE}}
        apiserver.ask("POST", f"{SYSTEM}/configmaps", fresh)

    def drift(*words: str) -> str:
        _, text = run("drift", *NODES, "-o", "json", *words)
        return str(read_document(text, "drift-2")["dns"]["servers"][0]["status"])

    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    run("apply", *NODES, *APPLY)
    replace_config_map()
    assert drift("-c", name_other_cluster(apiserver)) == "unmanaged"
    assert drift() == "drift"
    drift("--correct", "--yes")
    assert (ENTRY in read(apiserver)["data"]["Corefile"], drift()) == (True, "in_sync")
    run("apply", *NODES, *APPLY, "--absent", "--registry", "harbor.lan")
    replace_config_map()
    assert drift() == "unmanaged"


def test_a_removal_is_rolled_back_too(run: Run, apiserver: RunningApiServer) -> None:
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    run("apply", *NODES, *APPLY)
    found = read(apiserver)
    code, text = run("apply", *NODES, *APPLY, "--absent", "--registry", "harbor.lan")
    removed = read_document(text, "run-2")
    assert (code, ENTRY in read(apiserver)["data"]["Corefile"]) == (0, False)
    code, text = run("rollback", removed["run_id"], *NODES, *APPLY)
    assert (code, read(apiserver)) == (0, found), text
