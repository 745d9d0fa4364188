from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.secrets.sync import apply_secret, plan_secret
from harbor_agent.formats.pull_secret import build_payload
from harbor_agent.kubernetes.cluster import open_cluster
from harbor_agent.kubernetes.kubeconfig.client import open_client
from harbor_agent.kubernetes.service_accounts import attach, detach
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import SecretAction, SecretSpec
from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harbor_agent.kubernetes.cluster import Cluster
    from tests.lab.apiserver import RunningApiServer

pytestmark = pytest.mark.needs("apiserver")

HARBOR = Address.parse("192.168.0.99")


def wanted(
    *, password: str = "canary-password", accounts: tuple[str, ...] = (), address: Address = HARBOR, name: str = "pull"
) -> SecretSpec:
    login = Credentials(username="robot$p+n", password=Sensitive(password), email="ops@example.org")
    return SecretSpec(name=name, address=address, credentials=login, service_accounts=accounts)


@pytest.fixture
def cluster(apiserver: RunningApiServer) -> Iterator[Cluster]:
    with open_cluster(str(apiserver.kubeconfig())) as opened:
        yield opened


@pytest.fixture
def limited(apiserver: RunningApiServer) -> Iterator[Cluster]:
    """The cluster as a user sees it who has no rights but those that the test grants."""
    with open_cluster(str(apiserver.kubeconfig("limited"))) as opened:
        yield opened


def secret_of(apiserver: RunningApiServer, namespace: str, name: str = "pull") -> dict:
    return apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")


def pull_secrets_of(apiserver: RunningApiServer, namespace: str, account: str = "default") -> list[str]:
    found = apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}")
    return [reference["name"] for reference in found.get("imagePullSecrets", [])]


def make_secret(apiserver: RunningApiServer, namespace: str, **members: object) -> None:
    metadata = {"name": "pull"} | members.pop("metadata", {})
    apiserver.ask("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": metadata} | members)


def payload(auths: dict[str, object]) -> dict[str, str]:
    return {".dockerconfigjson": base64.b64encode(json.dumps({"auths": auths}).encode()).decode()}


class TestSecret:
    def test_planned_then_created_then_unchanged(
        self, cluster: Cluster, apiserver: RunningApiServer, namespace: str
    ) -> None:
        plan = plan_secret(cluster, wanted(), namespace)
        assert (plan.outcome, plan.action) == (Outcome.PENDING, SecretAction.CREATE)
        assert not apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/secrets")["items"]

        result = apply_secret(cluster, wanted(), namespace)
        assert (result.outcome, result.action) == (Outcome.CHANGED, SecretAction.CREATE)
        made = secret_of(apiserver, namespace)
        assert made["type"] == "kubernetes.io/dockerconfigjson"
        assert made["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "harbor-agent"}
        record = made["metadata"]["annotations"].pop("harbor-agent/record")
        assert made["metadata"]["uid"] in record
        assert made["metadata"]["annotations"] == {"secret.kubesphere.io/force-insecure": "true"}
        spec = wanted()
        assert base64.b64decode(made["data"][".dockerconfigjson"]) == build_payload(
            spec.address, spec.credentials, "kubesphere"
        )

        assert plan_secret(cluster, wanted(), namespace).is_empty
        assert apply_secret(cluster, wanted(), namespace).outcome is Outcome.UNCHANGED
        assert secret_of(apiserver, namespace)["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]

    @pytest.mark.parametrize(
        "password", ["\"quotes'", "$HOME`id`", "line\nbreak\r", "密码-пароль", "x" * 10_000, "\\u0000\x00"]
    )
    def test_password_comes_back_as_it_was(
        self, cluster: Cluster, apiserver: RunningApiServer, namespace: str, password: str
    ) -> None:
        apply_secret(cluster, wanted(password=password), namespace)
        document = json.loads(base64.b64decode(secret_of(apiserver, namespace)["data"][".dockerconfigjson"]))
        login = document["auths"]["http://192.168.0.99"]
        assert login["password"] == password
        assert base64.b64decode(login["auth"]).decode() == f"robot$p+n:{password}"
        assert plan_secret(cluster, wanted(password=password), namespace).is_empty

    def test_new_password_updates(self, cluster: Cluster, namespace: str) -> None:
        apply_secret(cluster, wanted(password="old"), namespace)
        plan = plan_secret(cluster, wanted(password="canary-new"), namespace)
        assert (plan.action, plan.differences) == (SecretAction.UPDATE, ("password changed",))
        assert "canary-new" not in repr(plan)
        assert apply_secret(cluster, wanted(password="canary-new"), namespace).action is SecretAction.UPDATE
        assert plan_secret(cluster, wanted(password="canary-new"), namespace).is_empty

    def test_move_to_https_drops_the_annotation(
        self, cluster: Cluster, apiserver: RunningApiServer, namespace: str
    ) -> None:
        apply_secret(cluster, wanted(), namespace)
        moved = wanted(address=Address.parse("https://harbor.lan"))
        assert apply_secret(cluster, moved, namespace).outcome is Outcome.CHANGED
        assert list(secret_of(apiserver, namespace)["metadata"]["annotations"]) == ["harbor-agent/record"]
        assert plan_secret(cluster, moved, namespace).is_empty

    def test_what_others_wrote_is_taken_over_only_by_force_and_stays_theirs(
        self, cluster: Cluster, apiserver: RunningApiServer, namespace: str
    ) -> None:
        theirs = {"labels": {"team": "shop"}, "annotations": {"kubesphere.io/creator": "ann"}}
        made = {"type": "kubernetes.io/dockerconfigjson", "data": payload({"192.168.0.99": {"auth": "eDp5"}})}
        make_secret(apiserver, namespace, metadata=theirs, **made)
        before = secret_of(apiserver, namespace)
        for refused in (plan_secret(cluster, wanted(), namespace), apply_secret(cluster, wanted(), namespace)):
            assert refused.outcome is Outcome.REFUSED
            assert refused.problem
            assert refused.problem.code == "secret-conflict"
            assert "Python-urllib" in refused.problem.message
            assert "registry key becomes http://192.168.0.99" in refused.problem.message
            assert "--force-conflicts" in refused.problem.hint
        assert secret_of(apiserver, namespace) == before

        forced = replace(wanted(), force_conflicts=True)
        result = apply_secret(cluster, forced, namespace)
        assert (result.outcome, result.action) == (Outcome.CHANGED, SecretAction.UPDATE)
        metadata = secret_of(apiserver, namespace)["metadata"]
        assert metadata["labels"] == {"team": "shop"}
        assert metadata["annotations"] == {
            "kubesphere.io/creator": "ann",
            "secret.kubesphere.io/force-insecure": "true",
        }
        assert plan_secret(cluster, wanted(), namespace).is_empty

    def test_other_type_is_refused(self, cluster: Cluster, apiserver: RunningApiServer, namespace: str) -> None:
        make_secret(apiserver, namespace, type="Opaque", stringData={"x": "y"})
        plan = plan_secret(cluster, wanted(), namespace)
        assert plan.outcome is Outcome.REFUSED
        assert plan.problem
        assert plan.problem.code == "secret-type-mismatch"
        assert f"kubectl -n {namespace} delete secret pull" in plan.problem.hint
        assert apply_secret(cluster, wanted(), namespace).outcome is Outcome.REFUSED
        assert secret_of(apiserver, namespace)["type"] == "Opaque"

    def test_logins_of_somebody_else_are_not_dropped(
        self, cluster: Cluster, apiserver: RunningApiServer, namespace: str
    ) -> None:
        both = payload({"192.168.0.99": {"auth": "eDp5"}, "quay.io": {"auth": "eDp5"}})
        make_secret(apiserver, namespace, type="kubernetes.io/dockerconfigjson", data=both)
        result = apply_secret(cluster, wanted(), namespace)
        assert result.outcome is Outcome.REFUSED
        assert result.problem
        assert result.problem.code == "secret-of-another-owner"
        assert "quay.io" in result.problem.message
        assert secret_of(apiserver, namespace)["data"] == both

    def test_immutable_secret_is_refused_only_where_it_differs(
        self, cluster: Cluster, apiserver: RunningApiServer, namespace: str
    ) -> None:
        apply_secret(cluster, wanted(), namespace)
        path = f"/api/v1/namespaces/{namespace}/secrets/pull"
        apiserver.ask("PATCH", path, {"immutable": True}, kind="application/merge-patch+json")
        assert apply_secret(cluster, wanted(), namespace).outcome is Outcome.UNCHANGED
        result = apply_secret(cluster, wanted(password="new"), namespace)
        assert result.problem
        assert result.problem.code == "secret-immutable"

    def test_writers_at_the_same_time_end_in_one_of_both(
        self, cluster: Cluster, apiserver: RunningApiServer, namespace: str
    ) -> None:
        def write(password: str) -> None:
            with open_cluster(kubeconfig) as mine:
                outcomes.update(apply_secret(mine, wanted(password=password), namespace).outcome for _ in range(10))

        kubeconfig = str(apiserver.kubeconfig())
        outcomes: set[Outcome] = set()
        threads = [threading.Thread(target=write, args=(password,)) for password in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert outcomes <= {Outcome.CHANGED, Outcome.UNCHANGED}
        assert any(plan_secret(cluster, wanted(password=password), namespace).is_empty for password in ("one", "two"))


class TestNamespace:
    def test_missing_is_known_when_planning(self, cluster: Cluster) -> None:
        plan = plan_secret(cluster, wanted(), "no-such-place")
        assert plan.problem
        assert (plan.outcome, plan.problem.code) == (Outcome.FAILED, "namespace-missing")
        result = apply_secret(cluster, wanted(), "no-such-place")
        assert result.problem
        assert result.problem.code == "namespace-missing"

    def test_terminating(self, cluster: Cluster, apiserver: RunningApiServer, namespace: str) -> None:
        apiserver.ask("DELETE", f"/api/v1/namespaces/{namespace}")
        for problem in (
            plan_secret(cluster, wanted(), namespace).problem,
            apply_secret(cluster, wanted(), namespace).problem,
        ):
            assert problem
            assert problem.code == "namespace-terminating"

    @pytest.mark.parametrize("name", ["../kube-system", "Team", "", "a" * 64])
    def test_name_that_is_none(self, cluster: Cluster, name: str) -> None:
        plan = plan_secret(cluster, wanted(), name)
        assert plan.problem
        assert (plan.outcome, plan.problem.code) == (Outcome.REFUSED, "kubernetes-name-invalid")


class TestServiceAccount:
    def test_appended_behind_what_is_there(self, cluster: Cluster, apiserver: RunningApiServer, namespace: str) -> None:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        theirs = {"imagePullSecrets": [{"name": "theirs"}], "metadata": {"annotations": {"a": "b"}}}
        apiserver.ask("PATCH", path, theirs, kind="application/merge-patch+json")
        plan = plan_secret(cluster, wanted(accounts=("default",)), namespace)
        assert [account.outcome for account in plan.service_accounts] == [Outcome.PENDING]
        assert pull_secrets_of(apiserver, namespace) == ["theirs"]

        result = apply_secret(cluster, wanted(accounts=("default",)), namespace)
        assert [account.outcome for account in result.service_accounts] == [Outcome.CHANGED]
        assert pull_secrets_of(apiserver, namespace) == ["theirs", "pull"]
        assert apiserver.ask("GET", path)["metadata"]["annotations"] == {"a": "b", "harbor-agent/attached": "pull"}

        again = apply_secret(cluster, wanted(accounts=("default",)), namespace)
        assert [account.outcome for account in again.service_accounts] == [Outcome.UNCHANGED]
        assert plan_secret(cluster, wanted(accounts=("default",)), namespace).is_empty

    def test_secret_alone_is_not_all(self, cluster: Cluster, namespace: str) -> None:
        apply_secret(cluster, wanted(), namespace)
        plan = plan_secret(cluster, wanted(accounts=("default",)), namespace)
        assert plan.outcome is Outcome.UNCHANGED
        assert not plan.is_empty

    def test_missing_one_is_named_and_the_secret_is_there(
        self, cluster: Cluster, apiserver: RunningApiServer, namespace: str
    ) -> None:
        result = apply_secret(cluster, wanted(accounts=("builder", "default")), namespace)
        assert result.outcome is Outcome.CHANGED
        missing, present = result.service_accounts
        assert missing.problem
        assert (missing.outcome, missing.problem.code) == (Outcome.FAILED, "service-account-missing")
        assert present.outcome is Outcome.CHANGED
        assert pull_secrets_of(apiserver, namespace) == ["pull"]

    def test_writers_at_the_same_time_lose_nothing(self, apiserver: RunningApiServer, namespace: str) -> None:
        def write(letter: str) -> None:
            with open_cluster(kubeconfig) as mine:
                for number in range(40):
                    spec = wanted(name=f"{letter}{number}", accounts=("default",))
                    failed.extend(
                        account.problem
                        for account in apply_secret(mine, spec, namespace).service_accounts
                        if account.outcome is not Outcome.CHANGED
                    )

        kubeconfig = str(apiserver.kubeconfig())
        failed: list[object] = []
        threads = [threading.Thread(target=write, args=(letter,)) for letter in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
        assert failed == []
        names = pull_secrets_of(apiserver, namespace)
        assert sorted(names) == sorted(f"{letter}{number}" for letter in "abc" for number in range(40))

    def test_two_writers_of_a_thousand_rounds_lose_nothing(self, apiserver: RunningApiServer, namespace: str) -> None:
        def write(name: str) -> None:
            with open_client(str(apiserver.kubeconfig()), None, timeout=30) as mine:
                for number in range(500):
                    act = attach if number % 2 == 0 else detach
                    result = act(mine, namespace, "default", name)
                    if result.outcome is not Outcome.CHANGED:
                        failed.append(result)

        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        theirs = {"imagePullSecrets": [{"name": "theirs"}], "metadata": {"annotations": {"a": "b"}}}
        apiserver.ask("PATCH", path, theirs, kind="application/merge-patch+json")
        failed: list[object] = []
        threads = [threading.Thread(target=write, args=(name,)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        with open_client(str(apiserver.kubeconfig()), None, timeout=30) as client:
            assert attach(client, namespace, "default", "ours").outcome is Outcome.CHANGED
        for thread in threads:
            thread.join(timeout=170)
        assert failed == []
        assert pull_secrets_of(apiserver, namespace) == ["theirs", "ours"]
        assert apiserver.ask("GET", path)["metadata"]["annotations"] == {"a": "b", "harbor-agent/attached": "ours"}


class TestRights:
    def test_secrets_in_one_namespace_are_enough(
        self, limited: Cluster, namespace: str, grant: Callable[..., None]
    ) -> None:
        grant("secrets", "get", "create", "patch")
        spec = wanted(accounts=("default",))
        plan = plan_secret(limited, spec, namespace)
        assert plan.outcome is Outcome.PENDING
        assert [account.outcome for account in plan.service_accounts] == [Outcome.SKIPPED]
        result = apply_secret(limited, spec, namespace)
        assert result.outcome is Outcome.CHANGED
        (account,) = result.service_accounts
        assert account.problem
        assert (account.outcome, account.problem.code) == (Outcome.SKIPPED, "service-account-forbidden")
        assert f"is not allowed to get serviceaccounts in namespace {namespace}" in account.problem.message
        assert apply_secret(limited, wanted(password="new"), namespace).action is SecretAction.UPDATE

    @pytest.mark.needs("kubectl")
    @pytest.mark.parametrize("before", [None, [], ["theirs"]])
    @pytest.mark.parametrize("readable", [True, False])
    def test_printed_command_does_what_was_not_allowed(
        self,
        limited: Cluster,
        apiserver: RunningApiServer,
        namespace: str,
        *,
        grant: Callable[..., None],
        before: list[str] | None,
        tmp_path: Path,
        readable: bool,
    ) -> None:
        grant("secrets", "get", "create", "patch")
        if readable:
            grant("serviceaccounts", "get")
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        if before is not None:
            references = {"imagePullSecrets": [{"name": name} for name in before]}
            apiserver.ask("PATCH", path, references, kind="application/merge-patch+json")
        (account,) = apply_secret(limited, wanted(accounts=("default",)), namespace).service_accounts
        assert account.problem
        command = account.problem.hint.partition("can run: ")[2]
        environment = os.environ | {"KUBECONFIG": str(apiserver.kubeconfig()), "HOME": str(tmp_path)}
        subprocess.run(["sh", "-c", command], check=True, env=environment, capture_output=True)
        assert pull_secrets_of(apiserver, namespace) == [*(before or []), "pull"]

    def test_missing_right_is_named(self, limited: Cluster, namespace: str, grant: Callable[..., None]) -> None:
        problem = plan_secret(limited, wanted(), namespace).problem
        assert problem
        assert problem.code == "cluster-forbidden"
        assert f"is not allowed to get secrets in namespace {namespace}" in problem.message
        assert "verbs: [get, create, patch]" in problem.hint
        assert "name: limited" in problem.hint
        grant("secrets", "get", "patch")
        problem = plan_secret(limited, wanted(), namespace).problem
        assert problem
        assert f"is not allowed to create secrets in namespace {namespace}" in problem.message

    def test_quota_shows_in_the_plan(self, cluster: Cluster, apiserver: RunningApiServer, namespace: str) -> None:
        quota = {"metadata": {"name": "q"}, "spec": {"hard": {"count/secrets": "0"}}}
        apiserver.ask("POST", f"/api/v1/namespaces/{namespace}/resourcequotas", quota)
        path = f"/api/v1/namespaces/{namespace}/resourcequotas/q/status"
        status = {"status": {"hard": {"count/secrets": "0"}, "used": {"count/secrets": "0"}}}
        apiserver.ask("PATCH", path, status, kind="application/merge-patch+json")
        problem = plan_secret(cluster, wanted(), namespace).problem
        assert problem
        assert problem.code == "cluster-rejected"
        assert "quota" in problem.message
