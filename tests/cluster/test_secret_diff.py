"""`secret diff` and `secret apply --dry-run`: what would change, tried on the server, key by key, never a value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from harbor_agent.cli.main import app
from harbor_agent.engine.secrets.sync import apply_secret, plan_secret
from harbor_agent.kubernetes.cluster import open_cluster
from harbor_agent.model.address import Address
from harbor_agent.model.result import Outcome
from tests.cluster.answering import Reply, answering
from tests.cluster.kubeconfigs import REVIEW, write
from tests.cluster.pull_secrets import make_secret, payload, secret_of, wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.kubernetes.cluster import Cluster
    from tests.lab.apiserver import RunningApiServer

pytestmark = [pytest.mark.needs("apiserver"), pytest.mark.usefixtures("no_settings")]

SCHEMA = Path(__file__).resolve().parents[2] / "docs/schemas/secret-2.json"
KIND = {"Content-Type": "application/json"}
KEY = "data[.dockerconfigjson].auths[http://192.168.0.99]"


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def diff(apiserver: RunningApiServer, namespace: str) -> Callable[..., tuple[int, str]]:
    """Run a command of `secret` for the test's namespace; return its exit code and what it printed."""

    def run(*words: str, password: str = "canary-password", user: str = "admin") -> tuple[int, str]:
        login = ["--registry", "192.168.0.99", "--username", "robot$p+n", "--password-stdin", "--secret-name", "pull"]
        place = ["--kubeconfig", str(apiserver.kubeconfig(user)), "-n", namespace, "--email", "ops@example.org"]
        ran = CliRunner().invoke(app, ["secret", *words, *login, *place], input=password)
        assert "canary" not in ran.output
        return ran.exit_code, ran.stdout

    return run


def document_of(text: str) -> dict[str, Any]:
    document = json.loads(text)
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(document)
    return document


def test_a_secret_that_does_not_exist_yet(
    diff: Callable[..., tuple[int, str]], apiserver: RunningApiServer, namespace: str
) -> None:
    code, text = diff("diff", "--service-account", "default")
    assert code == 0
    assert f"secret {namespace}/pull for 192.168.0.99  change create" in text
    assert f"  + {KEY}.password\n" in text
    assert "  + metadata.annotations[secret.kubesphere.io/force-insecure]\n" in text
    assert "  + metadata.annotations[harbor-agent/record]\n" in text
    assert "service account default: change" in text
    assert text.endswith("Pull secrets: 1 to change\n")
    assert not apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/secrets")["items"]
    assert diff("diff", "--exit-code")[0] == 3


def test_a_new_password_and_nothing_to_change(
    diff: Callable[..., tuple[int, str]], cluster: Cluster, apiserver: RunningApiServer, namespace: str
) -> None:
    apply_secret(cluster, wanted(), namespace)
    before = secret_of(apiserver, namespace)
    code, text = diff("diff", "--exit-code")
    assert (code, text.splitlines()[-1]) == (0, "Pull secrets: 1 unchanged")

    code, text = diff("diff", "-o", "json", "--exit-code", password="canary-new")
    assert code == 3
    document = document_of(text)
    assert (document["exit_code"], document["secret"]["status"]) == (3, "change")
    assert document["secret"]["secrets"][0]["changes"] == [
        {"key": f"{KEY}.auth", "change": "replace"},
        {"key": f"{KEY}.password", "change": "replace"},
        {"key": "metadata.annotations[harbor-agent/record]", "change": "replace"},
    ]
    assert secret_of(apiserver, namespace) == before


def test_a_move_to_https_removes_the_annotation(cluster: Cluster, namespace: str) -> None:
    apply_secret(cluster, wanted(), namespace)
    plan = plan_secret(cluster, wanted(address=Address.parse("https://192.168.0.99")), namespace)
    changes = {change.key: change.kind.value for change in plan.changes}
    assert changes[f"{KEY}.password"] == "remove"
    assert changes[f"{KEY.replace('http:', 'https:')}.password"] == "add"
    assert changes["metadata.annotations[secret.kubesphere.io/force-insecure]"] == "remove"


def test_a_conflict_shows_what_force_conflicts_would_change(
    diff: Callable[..., tuple[int, str]], apiserver: RunningApiServer, namespace: str
) -> None:
    theirs = payload({"http://192.168.0.99": {"username": "other", "password": "canary-theirs", "auth": "Y2FuYXJ5"}})
    make_secret(apiserver, namespace, type="kubernetes.io/dockerconfigjson", data=theirs)
    before = secret_of(apiserver, namespace)
    code, text = diff("diff")
    assert code == 1
    assert "[secret-conflict]" in text
    assert f"  ~ {KEY}.username\n" in text
    assert f"  + {KEY}.email\n" in text
    code, text = diff("diff", "--force-conflicts")
    assert (code, text.splitlines()[-1]) == (0, "Pull secrets: 1 to change")
    assert secret_of(apiserver, namespace) == before


def test_apply_as_a_dry_run_changes_nothing(apiserver: RunningApiServer, namespace: str) -> None:
    words = ["apply", "--dry-run", "-o", "json", "--registry", "127.0.0.1:9"]
    login = ["--username", "u", "--password-stdin", "-n", namespace, "--kubeconfig", str(apiserver.kubeconfig())]
    ran = CliRunner().invoke(app, ["secret", *words, *login], input="canary")
    document = document_of(ran.stdout)
    assert (ran.exit_code, document["secret"]["status"]) == (0, "change")
    assert [warning["code"] for warning in document["secret"]["warnings"]] == ["registry-refused"]
    assert not apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/secrets")["items"]


def test_a_missing_right_is_known_before(diff: Callable[..., tuple[int, str]], grant: Callable[..., None]) -> None:
    grant("secrets", "get")
    code, text = diff("diff", "--exit-code", user="limited")
    assert code == 1
    assert "[cluster-forbidden]" in text


def test_a_namespace_that_does_not_exist_fails(cluster: Cluster) -> None:
    plan = plan_secret(cluster, wanted(), "no-such-place")
    assert (plan.outcome, plan.changes) == (Outcome.FAILED, ())


def test_a_webhook_without_dry_runs_is_a_warning(tmp_path: Path) -> None:
    words = 'admission webhook "guard.example.org" does not support dry run'

    def answer(method: str, _: str | None) -> Reply:
        status, message = (404, "not found") if method == "GET" else (400, words)
        body = json.dumps({"kind": "Status", "code": status, "message": message, "details": {"kind": "secrets"}})
        return Reply(status=status, headers=KIND, body=body.encode())

    replies = {
        REVIEW: Reply(status=201, headers=KIND, body=b'{"spec":{},"status":{"allowed":true}}'),
        "/api/v1/namespaces/demo/secrets/pull": answer,
    }
    with answering(replies) as server:
        config = write(tmp_path / "c", {"server": f"http://127.0.0.1:{server.port}"}, {"token": "t"})
        with open_cluster(config) as cluster:
            plan = plan_secret(cluster, wanted(), "demo")
    assert (plan.outcome, plan.changes) == (Outcome.PENDING, ())
    (warning,) = plan.warnings
    assert warning.code == "secret-not-tried"
    assert words in warning.message
