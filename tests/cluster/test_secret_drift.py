"""Pull secrets in `drift`, on a real API server: what drifts, what a correction writes again, and what never."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from harbor_agent.cli.main import app
from tests.cluster.conftest import ROBOT
from tests.cluster.many_namespaces import make_namespace
from tests.cluster.pull_secrets import make_secret, payload, pull_secrets_of, secret_of

if TYPE_CHECKING:
    from tests.lab.apiserver import RunningApiServer
    from tests.lab.registry import RunningRegistry

pytestmark = pytest.mark.needs("apiserver", "registry")

SCHEMA = Path(__file__).resolve().parents[2] / "docs/schemas/drift-2.json"
MERGE = "application/merge-patch+json"
NODES = ("-i", "inventory.ini")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A person, or a timer, on one controller: its settings file and its history."""

    api: RunningApiServer
    folder: Path
    address: str
    team: str

    def write_settings(self, *, kubeconfig: str = "", login: dict[str, str] | None = None, **secret: object) -> None:
        """Write the settings: the secret in the team's namespaces, and the login from a file."""
        source = {"username": ROBOT.name, "password_file": str(self.folder / "password")} if login is None else login
        wanted = {"name": "pull", "namespace_selector": f"team={self.team}", "service_accounts": ["default"], **secret}
        wanted = {key: value for key, value in wanted.items() if value is not None}
        registry = {"address": self.address, "credentials": source, "secret": wanted}
        document = {
            "registries": [registry if source else {"address": self.address, "secret": wanted}],
            "kubeconfig": kubeconfig or str(self.api.kubeconfig()),
        }
        (self.folder / "harbor-agent.yaml").write_text(json.dumps(document))  # JSON is YAML

    def add_namespace(self, name: str) -> str:
        """Create a namespace of the team; return its name."""
        return make_namespace(self.api, f"{self.team}-{name}", self.team)

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command; return its exit code and standard output."""
        ran = CliRunner().invoke(app, list(words))
        return ran.exit_code, ran.stdout

    def drift(self, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Run `drift`; return its exit code and each secret by its namespace without the team."""
        code, text = self.run("drift", *NODES, *words, "-o", "json")
        document = json.loads(text)
        Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(document)
        assert ROBOT.password not in text
        found = {one["namespace"].removeprefix(f"{self.team}-"): one for one in document["secrets"]["secrets"]}
        return code, found

    def correct(self, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Run `drift --correct --yes`."""
        return self.drift("--correct", "--yes", *words)

    def delete(self, namespace: str) -> None:
        """Delete the secret."""
        self.api.ask("DELETE", f"/api/v1/namespaces/{namespace}/secrets/pull")

    def change(self, namespace: str) -> None:
        """Change the content of the secret, as kubectl edit does."""
        document = {"data": payload({f"http://{self.address}": {"username": "them", "password": "theirs"}})}
        path = f"/api/v1/namespaces/{namespace}/secrets/pull?fieldManager=kubectl-edit"
        self.api.ask("PATCH", path, document, kind=MERGE)

    def detach(self, namespace: str) -> None:
        """Remove the secret from the service account, with the note of it."""
        document = {"imagePullSecrets": None}
        self.api.ask("PATCH", f"/api/v1/namespaces/{namespace}/serviceaccounts/default", document, kind=MERGE)


@pytest.fixture
def operator(
    apiserver: RunningApiServer,
    htpasswd: RunningRegistry,
    team: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "password").write_text(ROBOT.password)
    (tmp_path / "inventory.ini").write_text("node1 harbor_skip='no part of this test'\n", encoding="utf-8")
    found = Operator(api=apiserver, folder=tmp_path, address=htpasswd.entry, team=team)
    found.write_settings()
    return found


def read_metric(name: str, **labels: str) -> float:
    """Return the value of a sample of site.prom."""
    wanted = {"fleet": "site", **labels}
    families = text_string_to_metric_families(Path("site.prom").read_text())
    (value,) = [one.value for family in families for one in family.samples if one.labels == wanted and name in one.name]
    return value


def states(found: dict[str, dict[str, Any]]) -> dict[str, tuple[str, str | None]]:
    return {namespace: (one["status"], one["code"]) for namespace, one in found.items()}


def test_what_was_deleted_changed_or_detached_is_written_again(operator: Operator) -> None:
    a, b, c = (operator.add_namespace(name) for name in ("a", "b", "c"))
    outside = make_namespace(operator.api, f"{operator.team}-outside", "other")
    code, text = operator.run("secret", "apply", "--yes")
    assert code == 0, text
    before = secret_of(operator.api, b)["data"]
    assert operator.drift()[0] == 0
    code, text = operator.run("drift", *NODES)
    assert "pull secrets: 3 in sync" in text

    operator.delete(a)
    operator.change(b)
    operator.detach(c)
    d = operator.add_namespace("d")
    code, found = operator.drift("--metrics", "site.prom")
    assert (code, states(found)) == (3, dict.fromkeys("abcd", ("drift", None)))
    reasons = {name: one["reason"] for name, one in found.items()}
    assert reasons == {
        "a": "the secret is missing",
        "b": "its content was changed since harbor-agent wrote it",
        "c": "service account default does not name the secret",
        "d": "the secret is missing; service account default does not name the secret",
    }
    assert read_metric("pull_secrets", status="drift") == 4
    assert read_metric("pull_secret_status", namespace=a, secret="pull", status="drift") == 1

    code, found = operator.correct()
    # A new namespace of the selector does not count, but is not written either.
    assert (code, states(found)) == (7, dict.fromkeys("abcd", ("drift", "drift-secrets-suspect")))
    assert pull_secrets_of(operator.api, d) == []
    code, _ = operator.correct("--max-drifted", "100%", "--metrics", "site.prom")
    assert code == 0
    assert (read_metric("pull_secrets", status="in_sync"), read_metric("pull_secrets", status="drift")) == (4, 0)
    assert sum(read_metric("pull_secret_corrections", outcome=one) for one in ("changed", "unchanged")) == 4
    assert [secret_of(operator.api, one)["data"] for one in (a, b, c, d)] == [before] * 4
    assert [pull_secrets_of(operator.api, one) for one in (a, b, c, d)] == [["pull"]] * 4
    assert operator.drift()[0] == 0
    assert pull_secrets_of(operator.api, outside) == []


def test_more_than_was_applied_waits_for_a_person(operator: Operator) -> None:
    operator.add_namespace("a")
    other = make_namespace(operator.api, f"{operator.team}-other", f"{operator.team}x")
    operator.run("secret", "apply", "--yes")
    operator.write_settings(namespace_selector=f"team in ({operator.team},{operator.team}x)")
    code, found = operator.correct()
    assert (code, states(found)) == (3, {"a": ("in_sync", None), "other": ("pending", None)})
    assert pull_secrets_of(operator.api, other) == []

    operator.write_settings(service_accounts=["default", "builder"])
    operator.detach(f"{operator.team}-a")
    code, found = operator.correct()
    assert (code, states(found)) == (3, {"a": ("drift", "drift-not-approved")})
    operator.write_settings(login={"username": "robot$another", "password_file": str(operator.folder / "password")})
    code, found = operator.correct()
    assert (code, states(found)) == (3, {"a": ("drift", "drift-not-approved")})
    assert "robot$another" in found["a"]["message"]
    assert pull_secrets_of(operator.api, f"{operator.team}-a") == []


def test_a_secret_of_another_owner_is_left_alone(operator: Operator) -> None:
    namespace = operator.add_namespace("a")
    operator.run("secret", "apply", "--yes")
    operator.delete(namespace)
    theirs = payload({"other.lan": {"auth": "dGhlbTp0aGVpcnM="}})
    make_secret(operator.api, namespace, type="kubernetes.io/dockerconfigjson", data=theirs)
    code, found = operator.correct()
    assert (code, states(found)) == (5, {"a": ("drift", "drift-secret-not-ours")})
    assert secret_of(operator.api, namespace)["data"] == theirs


def test_a_login_that_the_run_does_not_have_is_named(operator: Operator) -> None:
    namespace = operator.add_namespace("a")
    operator.run("secret", "apply", "--yes")
    operator.delete(namespace)
    operator.write_settings(login={})
    code, found = operator.correct()
    assert (code, states(found)) == (3, {"a": ("drift", "drift-password-missing")})
    operator.write_settings()
    (operator.folder / "password").unlink()
    code, found = operator.correct()
    assert (code, states(found)) == (3, {"a": ("drift", "drift-password-missing")})
    assert "secret apply" in found["a"]["hint"]


def test_without_the_history_of_an_apply_nothing_is_written(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, missing = operator.add_namespace("a"), operator.add_namespace("b")
    operator.run("secret", "apply", "--yes", "-n", there)
    monkeypatch.setenv("XDG_STATE_HOME", str(operator.folder / "another"))
    code, found = operator.correct()
    assert (code, states(found)) == (3, {"a": ("in_sync", None), "b": ("unmanaged", None)})
    monkeypatch.setenv("XDG_STATE_HOME", str(operator.folder / "state"))
    code, found = operator.correct()
    assert (code, states(found)) == (3, {"a": ("in_sync", None), "b": ("pending", None)})
    operator.run("secret", "remove", "-n", there, "--yes")
    assert states(operator.correct()[1]) == {"a": ("unmanaged", None), "b": ("unmanaged", None)}
    assert pull_secrets_of(operator.api, missing) == []


def test_a_cluster_with_another_ca_at_the_same_address_is_another_one(operator: Operator) -> None:
    operator.add_namespace("a")
    operator.run("secret", "apply", "--yes")
    another = operator.folder / "another-ca"
    document = yaml.safe_load(operator.api.kubeconfig().read_text())
    authority = base64.b64decode(document["clusters"][0]["cluster"]["certificate-authority-data"])
    document["clusters"][0]["cluster"]["certificate-authority-data"] = base64.b64encode(authority * 2).decode()
    another.write_text(yaml.safe_dump(document))
    operator.delete(f"{operator.team}-a")
    operator.write_settings(kubeconfig=str(another))
    assert states(operator.correct()[1]) == {"a": ("unmanaged", None)}
    operator.write_settings()
    assert states(operator.correct()[1]) == {"a": ("drift", None)}


def test_a_secret_that_another_program_deletes_again_is_only_reported(operator: Operator) -> None:
    namespace = operator.add_namespace("a")
    operator.run("secret", "apply", "--yes")
    for _ in range(3):
        operator.delete(namespace)
        assert operator.correct()[0] == 0
    operator.delete(namespace)
    code, found = operator.correct()
    assert (code, states(found)) == (5, {"a": ("drift", "drift-quarantined")})
    assert found["a"]["quarantined_since"]
    assert operator.run("drift", "release", f"secret/{namespace}/pull")[0] == 0
    assert operator.correct()[0] == 0
    assert pull_secrets_of(operator.api, namespace) == ["pull"]


def test_a_check_needs_only_rights_to_read(operator: Operator) -> None:
    namespace = operator.add_namespace("a")
    operator.run("secret", "apply", "--yes", "-n", namespace)
    named: dict[str, object] = {"namespaces": [namespace], "namespace_selector": None}
    operator.write_settings(kubeconfig=str(operator.api.kubeconfig("limited")), **named)
    assert states(operator.drift()[1]) == {"a": ("failed", "cluster-forbidden")}
    operator.api.grant(namespace, "secrets", ["get"])
    assert states(operator.drift()[1]) == {"a": ("failed", "service-account-forbidden")}
    operator.api.grant(namespace, "serviceaccounts", ["get"])
    code, found = operator.drift()
    assert (code, states(found)) == (0, {"a": ("in_sync", None)})


def test_a_namespace_that_is_gone_and_a_cluster_that_does_not_answer(operator: Operator) -> None:
    operator.write_settings(namespaces=[f"{operator.team}-gone"], namespace_selector=None)
    code, found = operator.drift()
    assert (code, states(found)) == (1, {"gone": ("failed", "namespace-missing")})
    kubeconfig = operator.folder / "dead"
    kubeconfig.write_text(operator.api.kubeconfig().read_text().replace(str(operator.api.port), "1"))
    operator.write_settings(kubeconfig=str(kubeconfig))
    code, text = operator.run("drift", *NODES, "-o", "json")
    assert (code, json.loads(text)["secrets"]["code"]) == (1, "cluster-unreachable")
    assert "pull secrets  failed" in operator.run("drift", *NODES)[1]
