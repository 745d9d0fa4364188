from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from harbor_agent.errors import AgentError, ExitCode
from harbor_agent.kubernetes.cluster import open_cluster
from tests.cluster.answering import Reply, answering, free_port, silent

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.apiserver import RunningApiServer


def kubeconfig(path: Path, server: str, **user: object) -> str:
    document = {
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
    }
    file = path / "config"
    file.write_text(yaml.safe_dump(document))
    return str(file)


def code_of(kubeconfig: str | None, context: str | None = None, *, timeout: float = 10) -> str:
    with pytest.raises(AgentError) as caught:
        open_cluster(kubeconfig, context, timeout=timeout)
    assert "canary" not in str(caught.value.problem)
    return caught.value.problem.code


@pytest.fixture(autouse=True)
def no_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


def test_no_kubeconfig_at_all() -> None:
    assert code_of(None) == "kubeconfig-missing"


def test_kubeconfig_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(AgentError) as caught:
        open_cluster(str(tmp_path / "none"))
    assert caught.value.exit_code is ExitCode.USAGE
    assert str(tmp_path / "none") in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "users: [{name: me, user: {token: canary}",
        "",
        "[]",
        "just text",
        "clusters: {}\ncontexts: 7",
        "clusters: [{name: a, cluster: {server: 7}}]\ncontexts: []",
        "clusters: []\ncontexts: []\ncurrent-context: lab",
        "clusters: []\ncontexts: []",
        "clusters: []\ncontexts: [{name: lab, context: {cluster: gone}}]\ncurrent-context: lab",
    ],
)
def test_kubeconfig_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    assert code_of(str(tmp_path / "config")) == "kubeconfig-invalid"


def test_line_of_bad_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a: 1\nb: [canary\nc: 2\n")
    with pytest.raises(AgentError, match="line 3"):
        open_cluster(str(tmp_path / "config"))


def test_unknown_context_names_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"no context 'prod' \(available: lab\)"):
        open_cluster(kubeconfig(tmp_path, "https://127.0.0.1:1", token="canary"), "prod")


def test_certificate_data_that_is_none(tmp_path: Path) -> None:
    config = kubeconfig(
        tmp_path, "https://127.0.0.1:1", **{"client-certificate-data": "Y2FuYXJ5", "client-key-data": "Y2FuYXJ5"}
    )
    assert code_of(config) == "kubeconfig-invalid"


def test_nothing_listens(tmp_path: Path) -> None:
    assert code_of(kubeconfig(tmp_path, f"https://127.0.0.1:{free_port()}", token="canary")) == "cluster-unreachable"


def test_nothing_is_said(tmp_path: Path) -> None:
    with silent() as port:
        begun = time.monotonic()
        assert (
            code_of(kubeconfig(tmp_path, f"http://127.0.0.1:{port}", token="canary"), timeout=0.3) == "cluster-timeout"
        )
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"<html>Welcome to nginx!</html>"),
        Reply(status=404),
        Reply(status=502, headers={"Content-Type": "text/html"}, body=b"<html>Bad Gateway</html>"),
        Reply(status=500, headers={"Content-Type": "application/json"}, body=b"{"),
        Reply(status=403, headers={"Content-Type": "application/json"}, body=b"[]"),
    ],
)
def test_something_else_answers(tmp_path: Path, reply: Reply) -> None:
    with answering({"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": reply}) as server:
        config = kubeconfig(tmp_path, f"http://127.0.0.1:{server.port}", token="canary")
        assert code_of(config) == "cluster-answer-invalid"


def test_plugin_that_is_not_installed(tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "no-such-login-plugin"}
    config = kubeconfig(tmp_path, "http://127.0.0.1:1", exec=plugin)
    with pytest.raises(AgentError, match="no-such-login-plugin") as caught:
        open_cluster(config)
    assert caught.value.problem.code == "kubeconfig-plugin-missing"


def test_plugin_that_fails(tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "false"}
    assert code_of(kubeconfig(tmp_path, "http://127.0.0.1:1", exec=plugin)) == "kubeconfig-login-failed"


@pytest.mark.needs("apiserver")
@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_plugin_is_told_what_kubectl_tells_it(apiserver: RunningApiServer, tmp_path: Path, version: str) -> None:
    credential = {"kind": "ExecCredential", "status": {"token": apiserver.tokens["admin"]}}
    asked = tmp_path / "asked"
    script = f"printf %s \"$KUBERNETES_EXEC_INFO\" >'{asked}'; echo '{json.dumps(credential)}'"
    plugin = {"apiVersion": f"client.authentication.k8s.io/{version}", "command": "sh", "args": ["-c", script]}
    config = yaml.safe_load(apiserver.kubeconfig().read_text())
    config["users"][0]["user"] = {"exec": plugin}
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    open_cluster(str(tmp_path / "config")).close()
    assert json.loads(asked.read_text())["apiVersion"] == plugin["apiVersion"]


@pytest.mark.needs("apiserver", "root")
def test_inside_a_pod(apiserver: RunningApiServer, tmp_path: Path) -> None:
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "token").write_text(apiserver.tokens["admin"])
    (account / "namespace").write_text("default")
    (account / "ca.crt").write_bytes(apiserver.authority)
    # kubelet mounts the account at a fixed place: so does a mount namespace of the test's own
    place = "/run/secrets/kubernetes.io/serviceaccount"
    program = "from harbor_agent.kubernetes.cluster import open_cluster; open_cluster().close(); print('let in')"
    inside = f'mount -t tmpfs tmpfs /run && mkdir -p {place} && mount --bind "$1" {place} && exec "$2" -c "$3"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", inside, "sh", str(account), sys.executable, program],
        env=os.environ | {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(apiserver.port)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "let in\n", done.stderr


@pytest.mark.needs("apiserver")
def test_expired_token(apiserver: RunningApiServer) -> None:
    assert code_of(str(apiserver.kubeconfig("expired", token="canary"))) == "cluster-unauthorized"


@pytest.mark.needs("apiserver")
def test_user_without_any_right_is_let_in(apiserver: RunningApiServer) -> None:
    open_cluster(str(apiserver.kubeconfig("limited"))).close()


@pytest.mark.needs("apiserver")
def test_kubeconfig_of_the_environment(apiserver: RunningApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(apiserver.kubeconfig()))
    open_cluster().close()


@pytest.mark.needs("apiserver")
def test_default_kubeconfig(apiserver: RunningApiServer, tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(apiserver.kubeconfig().read_text())
    open_cluster().close()
