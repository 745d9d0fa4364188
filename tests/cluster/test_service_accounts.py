"""Service accounts get the pull secret in addition to those that they have, also if others write at the same time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.secrets.sync import apply_secret, plan_secret
from harbor_agent.kubernetes.cluster import open_cluster
from harbor_agent.kubernetes.kubeconfig.client import open_client
from harbor_agent.kubernetes.service_accounts import attach, detach
from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from harbor_agent.kubernetes.cluster import Cluster
    from tests.lab.apiserver import RunningApiServer

from tests.cluster.pull_secrets import pull_secrets_of, wanted

pytestmark = pytest.mark.needs("apiserver")


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
