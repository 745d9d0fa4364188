"""The rights that a pull secret needs, and the manifest that grants a missing one."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.secrets.sync import apply_secret, plan_secret
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import SecretAction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harbor_agent.kubernetes.cluster import Cluster
    from tests.lab.apiserver import RunningApiServer

from tests.cluster.pull_secrets import pull_secrets_of, wanted

pytestmark = pytest.mark.needs("apiserver")


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
