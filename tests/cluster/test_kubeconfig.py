from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import yaml

from agent.cluster.kubernetes import open_cluster
from agent.errors import AgentError, ExitCode
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


def test_context_without_a_user(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "contexts: [{name: lab, context: {cluster: a}}]\ncurrent-context: lab\n"
    )
    with pytest.raises(AgentError, match="no user"):
        open_cluster(str(tmp_path / "config"))


def test_unknown_context_names_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"no context 'prod' \(it has: lab\)"):
        open_cluster(kubeconfig(tmp_path, "https://127.0.0.1:1", token="canary"), "prod")


def test_several_files_are_not_guessed_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kubeconfig(tmp_path, "https://127.0.0.1:1")
    (tmp_path / "second").write_text("")
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path / 'second'}")
    assert code_of(None) == "kubeconfig-invalid"


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


def test_something_else_answers(tmp_path: Path) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    with answering({path: Reply(body=b"<html>Welcome to nginx!</html>")}) as server:
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
