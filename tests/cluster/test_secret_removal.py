"""Removal of pull secrets: exactly those that were made, and the service accounts as before."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.secrets.commands import (
    apply_pull_secrets,
    plan_secret_removal,
    remove_pull_secrets,
)
from harbor_agent.engine.secrets.sync import plan_removal, remove_secret
from harbor_agent.errors import Problem
from harbor_agent.formats.pull_secret import ObservedSecret
from harbor_agent.kubernetes.cluster import open_cluster
from harbor_agent.kubernetes.secrets import delete_secret, read_secret
from harbor_agent.model.address import Address
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import SecretAction
from tests.cluster.answering import free_port

if TYPE_CHECKING:
    from tests.lab.apiserver import RunningApiServer

from tests.cluster.many_namespaces import (
    MERGE,
    REGISTRY,
    account,
    apply,
    make_namespace,
    password_in,
    places,
    resolve,
    resolve_registries,
)

pytestmark = pytest.mark.needs("apiserver")


class TestRemoval:
    def test_just_what_was_made_goes_and_accounts_are_as_before(self, apiserver: RunningApiServer, team: str) -> None:
        space = make_namespace(apiserver, f"{team}-shop", team)
        theirs = {"imagePullSecrets": [{"name": "theirs"}], "metadata": {"annotations": {"a": "b"}}}
        apiserver.ask("PATCH", f"/api/v1/namespaces/{space}/serviceaccounts/default", theirs, kind=MERGE)
        before = [account(apiserver, space, name) for name in ("default", "builder")]
        secret = {"namespaces": [space], "service_accounts": ["default", "builder"]}
        apply(apiserver, secret)
        assert [item["name"] for item in account(apiserver, space)["imagePullSecrets"]] == ["theirs", "harbor-pull"]

        plan = plan_secret_removal(resolve(apiserver, secret))
        assert plan.status == "change"
        assert [item.result.action for item in plan.items] == [SecretAction.REMOVE]
        report, code = remove_pull_secrets(resolve(apiserver, secret))
        assert (code, places(report)) == (0, {space: Outcome.CHANGED})
        assert [account(apiserver, space, name) for name in ("default", "builder")] == before
        assert apiserver.ask("GET", f"/api/v1/namespaces/{space}/secrets")["items"] == []
        assert places(remove_pull_secrets(resolve(apiserver, secret))[0]) == {space: Outcome.UNCHANGED}

    def test_what_somebody_else_made_or_attached_stays(self, apiserver: RunningApiServer, team: str) -> None:
        space = make_namespace(apiserver, f"{team}-shop", team)
        attached = {"imagePullSecrets": [{"name": "harbor-pull"}]}
        apiserver.ask("PATCH", f"/api/v1/namespaces/{space}/serviceaccounts/builder", attached, kind=MERGE)
        body = {"metadata": {"name": "harbor-pull"}, "type": "kubernetes.io/dockerconfigjson"}
        data = {"data": {".dockerconfigjson": base64.b64encode(b'{"auths":{}}').decode()}}
        apiserver.ask("POST", f"/api/v1/namespaces/{space}/secrets", body | data)
        secret = {"namespaces": [space], "service_accounts": ["default", "builder"]}
        apply(apiserver, secret, force_conflicts=True)
        assert password_in(apiserver, space) == "one"

        report, _ = remove_pull_secrets(resolve(apiserver, secret))
        assert places(report) == {space: Outcome.SKIPPED}
        (problem,) = (item.result.problem for item in report.items)
        assert problem
        assert problem.code == "secret-not-ours"
        assert password_in(apiserver, space) == "one"
        assert account(apiserver, space)["imagePullSecrets"] == []
        assert account(apiserver, space, "builder")["imagePullSecrets"] == [{"name": "harbor-pull"}]

    def test_a_secret_that_was_switched_to_another_registry_is_not_removed_with_the_old_one(
        self, apiserver: RunningApiServer, team: str
    ) -> None:
        space = make_namespace(apiserver, f"{team}-shop", team)
        secret = {"namespaces": [space], "service_accounts": ["default"]}
        apply(apiserver, secret)
        before = account(apiserver, space)
        old = resolve(apiserver, secret, addresses=("old.lan",), secret_name="harbor-pull", namespaces=(space,))
        report, code = remove_pull_secrets(old)
        assert (code, places(report)) == (0, {space: Outcome.SKIPPED})
        (problem,) = (item.result.problem for item in report.items)
        assert problem
        assert problem.code == "secret-of-another-registry"
        assert REGISTRY in problem.message
        assert (password_in(apiserver, space), account(apiserver, space)) == ("one", before)

    def test_a_secret_of_a_registry_that_is_gone_is_told_of(self, apiserver: RunningApiServer, team: str) -> None:
        space = make_namespace(apiserver, f"{team}-shop", team)
        apply(apiserver, {"name": f"{team}-old", "namespaces": [space]})
        new = {
            "address": f"127.0.0.1:{free_port()}",
            "credentials": {"username": "robot$p+n", "password_file": str(apiserver.directory / "password")},
            "secret": {"name": f"{team}-new", "namespaces": [space]},
        }
        moved = resolve_registries(apiserver, {"address": REGISTRY, "state": "absent"}, new)
        report, code = apply_pull_secrets(moved)
        assert code == 0
        (told,) = (warning for warning in report.warnings if f"{space}/{team}-old" in warning.message)
        assert told.code == "secret-no-longer-wanted"
        assert told.hint == f"harbor-agent secret remove --registry {REGISTRY} --secret-name {team}-old -n {space}"

    def test_all_namespaces_means_those_that_have_one(self, apiserver: RunningApiServer, team: str) -> None:
        for number in range(2):
            make_namespace(apiserver, f"{team}-{number}", team)
        secret = {"name": f"{team}-pull", "namespace_selector": f"team={team}"}
        apply(apiserver, secret)
        make_namespace(apiserver, f"{team}-without", team)
        everywhere = resolve(apiserver, {"name": f"{team}-pull", "namespaces": ["*"]})
        assert places(plan_secret_removal(everywhere)) == {
            f"{team}-0": Outcome.PENDING,
            f"{team}-1": Outcome.PENDING,
        }

    @pytest.mark.parametrize("rights", [("get", "list"), ("get",)])
    def test_who_may_not_detach_deletes_nothing(
        self, apiserver: RunningApiServer, team: str, rights: tuple[str, ...]
    ) -> None:
        space = make_namespace(apiserver, f"{team}-shop", team)
        apply(apiserver, {"namespaces": [space], "service_accounts": ["default"]})
        apiserver.grant(space, "secrets", ["get", "list", "delete"])
        apiserver.grant(space, "serviceaccounts", rights)
        with open_cluster(str(apiserver.kubeconfig("limited"))) as limited:
            result = remove_secret(limited, "harbor-pull", space, Address.parse(REGISTRY))
        assert result.outcome is Outcome.FAILED
        assert result.problem
        assert f"is not allowed to {'patch' if 'list' in rights else 'list'} serviceaccounts" in result.problem.message
        assert "kind: Role\n" in result.problem.hint
        assert password_in(apiserver, space) == "one"

    @pytest.mark.parametrize("name", ["../kube-system", "Team", ""])
    def test_a_name_that_is_none_is_never_asked_for(self, apiserver: RunningApiServer, name: str) -> None:
        with open_cluster(str(apiserver.kubeconfig())) as cluster:
            found = cluster.labelled(name)
            plan = plan_removal(cluster, "harbor-pull", name, Address.parse(REGISTRY))
        assert isinstance(found, Problem)
        assert plan.problem
        assert {found.code, plan.problem.code} == {"kubernetes-name-invalid"}
        assert plan.outcome is Outcome.REFUSED

    def test_a_secret_that_was_replaced_or_changed_since_is_not_deleted(
        self, apiserver: RunningApiServer, team: str
    ) -> None:
        space = make_namespace(apiserver, f"{team}-shop", team)
        path = f"/api/v1/namespaces/{space}/secrets"
        with open_cluster(str(apiserver.kubeconfig())) as cluster:
            for is_replaced in (True, False):
                apply(apiserver, {"namespaces": [space]})
                observed = read_secret(cluster.client, space, "harbor-pull")
                assert isinstance(observed, ObservedSecret)
                if is_replaced:
                    apiserver.ask("DELETE", f"{path}/harbor-pull")
                    apiserver.ask("POST", path, {"metadata": {"name": "harbor-pull"}, "stringData": {"a": "theirs"}})
                else:
                    note = {"metadata": {"labels": {"team": "shop"}}}
                    apiserver.ask("PATCH", f"{path}/harbor-pull", note, kind=MERGE)
                problem = delete_secret(cluster.client, observed)
                assert problem
                assert problem.code == "cluster-conflict"
                assert [item["metadata"]["name"] for item in apiserver.ask("GET", path)["items"]] == ["harbor-pull"]
                apiserver.ask("DELETE", f"{path}/harbor-pull")
            assert delete_secret(cluster.client, observed) is None
