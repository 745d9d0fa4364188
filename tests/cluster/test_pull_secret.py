"""A pull secret in one namespace: planned by a dry run, created, updated, and refused if it is not ours."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.secrets.sync import apply_secret, plan_secret
from harbor_agent.formats.pull_secret import build_payload
from harbor_agent.kubernetes.cluster import open_cluster
from harbor_agent.model.address import Address
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import SecretAction

if TYPE_CHECKING:
    from harbor_agent.kubernetes.cluster import Cluster
    from tests.lab.apiserver import RunningApiServer

from tests.cluster.pull_secrets import make_secret, payload, secret_of, wanted

pytestmark = pytest.mark.needs("apiserver")


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
