"""A plan file about the cluster's part: it shows DNS and pull secrets, and apply does nothing else."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from harbor_agent.cli.main import app
from tests.cluster.conftest import ROBOT
from tests.cluster.dns_servers import SYSTEM, add_server, remove_servers
from tests.cluster.pull_secrets import secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.apiserver import RunningApiServer
    from tests.lab.registry import RunningRegistry

pytestmark = pytest.mark.needs("apiserver", "registry")

SCHEMA = Path(__file__).resolve().parents[2] / "docs/schemas/plan-file-2.json"
COREFILE = """\
.:53 {
    # secret: canary-corefile
    kubernetes cluster.local
    forward . /etc/resolv.conf
    reload
}
"""


@pytest.fixture(autouse=True)
def system(apiserver: RunningApiServer) -> Iterator[None]:
    remove_servers(apiserver)
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    yield
    remove_servers(apiserver)


def invoke(*words: str) -> tuple[int, str]:
    ran = CliRunner().invoke(app, list(words))
    assert "canary" not in ran.output
    assert ROBOT.password not in ran.output
    return ran.exit_code, ran.stdout


def label(apiserver: RunningApiServer, namespace: str, value: str | None) -> None:
    patch = {"metadata": {"labels": {"plan-file": value}}}
    apiserver.ask("PATCH", f"/api/v1/namespaces/{namespace}", patch, kind="application/merge-patch+json")


def test_apply_does_what_the_file_shows_without_a_question_and_nothing_else(
    apiserver: RunningApiServer,
    harbor: RunningRegistry,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("ROBOT_PASSWORD", ROBOT.password)
    kubeconfig = Path(shutil.copy(apiserver.kubeconfig(), "kubeconfig"))
    Path("inventory.ini").write_text("node1 harbor_skip='no part of this test'\n", encoding="utf-8")
    Path("harbor-agent.yaml").write_text(
        f"kubeconfig: {kubeconfig}\n"
        f"registries:\n  - address: {harbor.entry}\n"
        f"    credentials: {{username: '{ROBOT.name}', password_env: ROBOT_PASSWORD}}\n"
        "    secret: {name: pull, namespaces: [], namespace_selector: plan-file=yes}\n"
        "  - address: harbor.lan\n    resolve: {address: 192.168.0.99, cluster: auto}\n",
        encoding="utf-8",
    )
    label(apiserver, namespace, "yes")
    code, shown = invoke("plan", "-i", "inventory.ini", "--out", "change.plan", "--with-diffs")
    assert code == 0, shown
    code, text = invoke("plan", "show", "change.plan", "-o", "json")
    document: dict[str, Any] = json.loads(text)
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(document)
    assert "+        192.168.0.99 harbor.lan\n" in document["dns"][0]["diff"]
    assert "     # secret: ***\n" in document["dns"][0]["diff"]
    (secret,) = document["secrets"]
    assert (secret["namespace"], secret["name"], secret["action"]) == (namespace, "pull", "create")
    assert any(key.endswith(".password") for key in secret["keys"])
    _, text = invoke("plan", "show", "change.plan")
    assert f"secret {namespace}/pull for {harbor.entry}  change create" in text
    assert "+        192.168.0.99 harbor.lan" in text

    later = apiserver.create_namespace(f"{namespace}-later", "default")
    label(apiserver, later, "yes")
    code, text = invoke("apply", "change.plan", "--accept-unproven", "-o", "json")
    assert (code, json.loads(text)["error"]["code"]) == (2, "plan-stale")
    found = apiserver.ask("GET", f"{SYSTEM}/configmaps/coredns")
    assert found["data"]["Corefile"] == COREFILE

    label(apiserver, later, None)
    encoded = [base64.b64encode(apiserver.authority * times).decode() for times in (1, 2)]
    kubeconfig.write_text(kubeconfig.read_text().replace(*encoded))
    code, text = invoke("apply", "change.plan", "--accept-unproven", "-o", "json")
    error = json.loads(text)["error"]
    assert (code, error["code"]) == (2, "plan-stale")
    assert error["message"].startswith("change.plan was created for another cluster than the kubeconfig names now")
    assert apiserver.ask("GET", f"{SYSTEM}/configmaps/coredns")["data"]["Corefile"] == COREFILE

    shutil.copy(apiserver.kubeconfig(), kubeconfig)
    code, text = invoke("apply", "change.plan", "--accept-unproven", "-o", "json")
    report = json.loads(text)
    assert (code, report["secret"]["status"]) == (0, "changed"), report
    assert report["dns"]["servers"][0]["outcome"] == "changed"
    assert secret_of(apiserver, namespace)["metadata"]["name"] == "pull"
