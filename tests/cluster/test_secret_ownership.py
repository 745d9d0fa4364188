"""Whose a secret is: what we made is told from copies of it, and nobody's login is lost."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from harbor_agent.engine.secrets.commands import list_secrets, remove_pull_secrets
from harbor_agent.engine.secrets.sync import apply_secret, plan_secret
from harbor_agent.formats.secret_record import RECORD
from harbor_agent.kubernetes.cluster import open_cluster
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import SecretSpec
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.views.text.secrets import shown_secrets_text
from tests.cluster.many_namespaces import REGISTRY, account, apply, make_namespace, places, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.kubernetes.cluster import Cluster
    from tests.lab.apiserver import RunningApiServer

pytestmark = pytest.mark.needs("apiserver")

LABEL = {"app.kubernetes.io/managed-by": "harbor-agent"}
SERVER_SIDE = "application/apply-patch+yaml"


@pytest.fixture
def cluster(apiserver: RunningApiServer) -> Iterator[Cluster]:
    with open_cluster(str(apiserver.kubeconfig())) as cluster:
        yield cluster


def read(apiserver: RunningApiServer, namespace: str, name: str = "harbor-pull") -> dict[str, Any]:
    return apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")


def copy(
    apiserver: RunningApiServer, secret: dict[str, Any], namespace: str, manager: str, *kept: str, **more: object
) -> None:
    """Create a copy with its name, what is `kept` of its metadata, and `more` metadata."""
    metadata = {key: secret["metadata"][key] for key in ("name", "labels", *kept)} | {"namespace": namespace, **more}
    body = secret | {"metadata": metadata}
    apiserver.ask("POST", f"/api/v1/namespaces/{namespace}/secrets?fieldManager={manager}", body)


def put(apiserver: RunningApiServer, namespace: str, payload: object, *, manager: str = "kubectl-create") -> None:
    """Create the secret with this payload, as another program does."""
    data = {".dockerconfigjson": base64.b64encode(json.dumps(payload).encode()).decode()}
    body = {"metadata": {"name": "harbor-pull"}, "type": "kubernetes.io/dockerconfigjson", "data": data}
    apiserver.ask("POST", f"/api/v1/namespaces/{namespace}/secrets?fieldManager={manager}", body)


def logins(apiserver: RunningApiServer, namespace: str) -> dict[str, Any]:
    return json.loads(base64.b64decode(read(apiserver, namespace)["data"][".dockerconfigjson"]))["auths"]


def spec(*, password: str = "one", force: bool = False) -> SecretSpec:
    login = Credentials(username="robot$p+n", password=Sensitive(password))
    return SecretSpec(name="harbor-pull", address=Address.parse(REGISTRY), credentials=login, force_conflicts=force)


@pytest.mark.field("c09")
class TestCopies:
    def test_copies_of_all_sorts_are_shown_as_copies_and_kept(self, apiserver: RunningApiServer, team: str) -> None:
        names = ("made", "by-hand", "replicated", "cloned", "untouched")
        made, by_hand, replicated, cloned, _ = (make_namespace(apiserver, f"{team}-{name}", team) for name in names)
        secret = {"namespaces": [made], "service_accounts": ["default"]}
        apply(apiserver, secret)
        original = read(apiserver, made)
        copy(apiserver, original, by_hand, "kubectl-create")
        copy(apiserver, original, replicated, "replicator", annotations={"replicator.example.test/from": made})
        copy(apiserver, original, cloned, "velero-server", "annotations", "managedFields")
        account_of_ours = account(apiserver, made)
        patch = {"metadata": account_of_ours["metadata"], "imagePullSecrets": account_of_ours["imagePullSecrets"]}
        path = f"/api/v1/namespaces/{cloned}/serviceaccounts/default"
        apiserver.ask("PATCH", path, patch, kind="application/merge-patch+json")

        everywhere = resolve(apiserver, {"namespaces": ["*"]})
        shown = {one.namespace: one.is_copy for one in list_secrets(everywhere, (made, by_hand, replicated, cloned))}
        assert shown == {made: False, by_hand: True, replicated: True, cloned: True}
        text = shown_secrets_text(list_secrets(everywhere, (made, by_hand)))
        assert "copy, not created by harbor-agent" in text.splitlines()[1]
        assert text.splitlines()[-1] == "Pull secrets: 1 created by harbor-agent, 1 copy"
        left = apply(apiserver, {"namespaces": [f"{team}-untouched"]})
        told = [warning.message for warning in left.warnings if warning.code == "secret-no-longer-wanted"]
        assert [message for message in told if team in message] == [
            f"secret {made}/harbor-pull was created by harbor-agent and is no longer requested; it is not updated"
        ]

        report, code = remove_pull_secrets(resolve(apiserver, {"namespace_selector": f"team={team}"}))
        kept = dict.fromkeys([by_hand, replicated, cloned], Outcome.SKIPPED)
        assert (code, places(report)) == (0, {made: Outcome.CHANGED, f"{team}-untouched": Outcome.CHANGED, **kept})
        problems = {item.result.problem.message for item in report.items if item.result.problem}
        assert f"secret harbor-pull in namespace {cloned} is a copy that harbor-agent did not create, and is not " in (
            "".join(problems)
        )
        assert account(apiserver, cloned) == account_of_ours
        for namespace in kept:
            assert read(apiserver, namespace)["data"] == original["data"]

    def test_what_a_backup_restored_under_the_same_name_is_a_copy(self, apiserver: RunningApiServer, team: str) -> None:
        space = make_namespace(apiserver, f"{team}-shop", team)
        apply(apiserver, {"namespaces": [space]})
        saved = read(apiserver, space)
        apiserver.ask("DELETE", f"/api/v1/namespaces/{space}/secrets/harbor-pull")
        copy(apiserver, saved, space, "velero-server", "annotations", "managedFields")
        report, _ = remove_pull_secrets(resolve(apiserver, {"namespaces": [space]}))
        assert places(report) == {space: Outcome.SKIPPED}
        assert places(apply(apiserver, {"namespaces": [space]})) == {space: Outcome.UNCHANGED}

    @pytest.mark.parametrize("way", ["POST", "apply"])
    def test_what_earlier_versions_wrote_is_ours_and_gets_a_record(
        self, apiserver: RunningApiServer, team: str, way: str
    ) -> None:
        space = make_namespace(apiserver, f"{team}-old", team)
        data = {".dockerconfigjson": base64.b64encode(b'{"auths":{"old.lan":{"auth":"eDp5"}}}').decode()}
        metadata = {"name": "harbor-pull", "labels": LABEL}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
        body |= {"type": "kubernetes.io/dockerconfigjson"}
        path = f"/api/v1/namespaces/{space}/secrets"
        if way == "POST":
            apiserver.ask("POST", f"{path}?fieldManager=harbor-agent", body)
        else:
            apiserver.ask("PATCH", f"{path}/harbor-pull?fieldManager=harbor-agent", body, kind=SERVER_SIDE)
        shown = list_secrets(resolve(apiserver, {"namespaces": [space]}), (space,))
        assert [one.is_copy for one in shown] == [False]
        assert places(apply(apiserver, {"namespaces": [space]})) == {space: Outcome.CHANGED}
        assert read(apiserver, space)["metadata"]["uid"] in read(apiserver, space)["metadata"]["annotations"][RECORD]
        report, _ = remove_pull_secrets(resolve(apiserver, {"namespaces": [space]}))
        assert places(report) == {space: Outcome.CHANGED}


@pytest.mark.field("c10")
class TestOtherLogins:
    @pytest.mark.parametrize("force", [False, True])
    def test_logins_of_projects_live_on_and_are_named(
        self, cluster: Cluster, apiserver: RunningApiServer, namespace: str, *, force: bool
    ) -> None:
        keys = [f"{REGISTRY}/team-a", f"{REGISTRY}/team-b"]
        put(apiserver, namespace, {"auths": {key: {"auth": "eDp5"} for key in keys}})
        for act in (plan_secret, apply_secret):
            result = act(cluster, spec(force=force), namespace)
            assert result.outcome is Outcome.REFUSED
            assert result.problem
            assert result.problem.code == "secret-of-another-owner"
            assert ", ".join(keys) in result.problem.message
        assert list(logins(apiserver, namespace)) == keys

    def test_what_somebody_added_to_ours_lives_on(
        self, cluster: Cluster, apiserver: RunningApiServer, namespace: str
    ) -> None:
        apply_secret(cluster, spec(), namespace)
        added = {"auths": logins(apiserver, namespace) | {"quay.io": {"auth": "eDp5"}}}
        data = {".dockerconfigjson": base64.b64encode(json.dumps(added).encode()).decode()}
        path = f"/api/v1/namespaces/{namespace}/secrets/harbor-pull?fieldManager=kubectl-edit"
        apiserver.ask("PATCH", path, {"data": data}, kind="application/merge-patch+json")
        result = apply_secret(cluster, spec(password="two", force=True), namespace)
        assert result.problem
        assert (
            "was changed by others since harbor-agent wrote it and holds logins for quay.io" in result.problem.message
        )
        report, _ = remove_pull_secrets(resolve(apiserver, {"namespaces": [namespace]}))
        assert places(report) == {namespace: Outcome.SKIPPED}
        assert "quay.io" in logins(apiserver, namespace)


@pytest.mark.field("c23")
@pytest.mark.parametrize(
    ("manager", "words"),
    [
        ("Mozilla", "in a browser (KubeSphere's console)"),
        ("kubectl-edit", "by kubectl edit"),
        ("argocd-controller", "by Argo CD (argocd-controller), which writes it again"),
        ("some-operator", "by some-operator"),
    ],
)
def test_who_changed_what_is_told_in_plain_words(
    cluster: Cluster, apiserver: RunningApiServer, namespace: str, manager: str, words: str
) -> None:
    login = {"username": "robot$p+n", "password": "canary", "email": "", "auth": "eDp5"}
    put(apiserver, namespace, {"auths": {f"http://{REGISTRY}": login}}, manager=manager)
    annotation = {"metadata": {"annotations": {"secret.kubesphere.io/force-insecure": "true"}}}
    path = f"/api/v1/namespaces/{namespace}/secrets/harbor-pull?fieldManager={manager}"
    apiserver.ask("PATCH", path, annotation, kind="application/merge-patch+json")
    for act in (plan_secret, apply_secret):
        result = act(cluster, spec(), namespace)
        assert result.problem
        assert result.problem.message == (
            f"secret harbor-pull in namespace {namespace} was last written {words} and differs: password changed"
        )
        assert "later run then overwrites what is edited there" in result.problem.hint
    forced = apply_secret(cluster, spec(force=True), namespace)
    assert (forced.outcome, forced.differences) == (Outcome.CHANGED, ("password changed",))
