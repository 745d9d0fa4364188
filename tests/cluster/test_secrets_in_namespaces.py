"""Pull secrets in many namespaces: selected, updated, listed, and removed without a trace."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from harbor_agent.engine.request.request import RegistryFlags, RunRequest
from harbor_agent.engine.request.resolve import Resolved, build_policy
from harbor_agent.engine.secrets.commands import (
    apply_pull_secrets,
    list_secrets,
    plan_secret_removal,
    remove_pull_secrets,
)
from harbor_agent.engine.secrets.sync import apply_secret, plan_removal, remove_secret
from harbor_agent.errors import Problem
from harbor_agent.formats.pull_secret import build_payload
from harbor_agent.kubernetes.cluster import open_cluster
from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import Namespaces, SecretAction, SecretSpec
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.planning.config.reader import Source
from harbor_agent.planning.config.schema import parse_settings
from tests.cluster.answering import free_port
from tests.cluster.standin import standing_in
from tests.lab.kubelet import add_node, add_pod

if TYPE_CHECKING:
    from harbor_agent.engine.secrets.report import SecretsReport
    from tests.lab.apiserver import RunningApiServer

pytestmark = pytest.mark.needs("apiserver")

SCHEMAS = Path(__file__).resolve().parents[2] / "docs/schemas"
REGISTRY = f"127.0.0.1:{free_port()}"  # nobody answers there, so that logins are not judged
NUMBERS = itertools.count(1)
MERGE = "application/merge-patch+json"


@pytest.fixture
def team() -> str:
    """A label that only this test's namespaces have."""
    return f"t{next(NUMBERS)}"


def make_namespace(apiserver: RunningApiServer, name: str, team: str) -> str:
    apiserver.create_namespace(name, "default", "builder")
    apiserver.ask("PATCH", f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"team": team}}}, kind=MERGE)
    return name


def resolve(
    apiserver: RunningApiServer, secret: dict[str, object], *, password: str = "one", **flags: object
) -> Resolved:
    """A request with a settings file that asks for this secret."""
    file = Path(apiserver.directory / "password")
    file.write_text(password)
    credentials = {"username": "robot$p+n", "password_file": str(file)}
    return resolve_registries(apiserver, {"address": REGISTRY, "credentials": credentials, "secret": secret}, **flags)


def resolve_registries(apiserver: RunningApiServer, *registries: dict[str, object], **flags: object) -> Resolved:
    """A request with a settings file that lists these registries."""
    document = {"registries": registries, "kubeconfig": str(apiserver.kubeconfig())}
    request = RunRequest(flags=RegistryFlags(**flags))
    return Resolved(request=request, general=build_policy(parse_settings(document, Source(name="test")), request.flags))


def apply(apiserver: RunningApiServer, secret: dict[str, object], **more: object) -> SecretsReport:
    return apply_pull_secrets(resolve(apiserver, secret, **more))[0]


def places(report: SecretsReport) -> dict[str, Outcome]:
    return {item.result.namespace: item.result.outcome for item in report.items}


def codes(report: SecretsReport) -> set[str]:
    return {warning.code for warning in report.warnings if not warning.code.startswith("registry-")}


def password_in(apiserver: RunningApiServer, namespace: str) -> str:
    secret = apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/secrets/harbor-pull")
    document = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    return document["auths"][f"http://{REGISTRY}"]["password"]


def account(apiserver: RunningApiServer, namespace: str, name: str = "default") -> dict[str, object]:
    """A service account without what the server counts."""
    found = apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
    kept = {key: value for key, value in found["metadata"].items() if key in {"name", "labels", "annotations"}}
    return {"metadata": kept, "imagePullSecrets": found.get("imagePullSecrets", [])}


class TestWhere:
    def test_by_label_and_by_name_but_not_where_excluded(self, apiserver: RunningApiServer, team: str) -> None:
        shop, web, off = (make_namespace(apiserver, f"{team}-{name}", team) for name in ("shop", "web", "off"))
        named = make_namespace(apiserver, f"{team}-named", "other")
        secret = {"namespaces": [named], "namespace_selector": f"team in ({team})", "exclude_namespaces": [off]}
        report = apply(apiserver, secret)
        assert places(report) == dict.fromkeys([named, shop, web], Outcome.CHANGED)
        assert places(apply(apiserver, secret)) == dict.fromkeys([named, shop, web], Outcome.UNCHANGED)

    def test_all_but_some_and_none_that_is_being_deleted(self, apiserver: RunningApiServer, team: str) -> None:
        kept, off, going = (make_namespace(apiserver, f"{team}-{name}", team) for name in ("kept", "off", "going"))
        apiserver.ask("DELETE", f"/api/v1/namespaces/{going}")
        with open_cluster(str(apiserver.kubeconfig())) as cluster:
            found = cluster.namespaces(Namespaces(names=("*",), excluded=(off,)))
        assert not isinstance(found, Problem)
        assert {kept, "kube-system"} <= set(found)
        assert {off, going}.isdisjoint(found)
        policy = resolve(apiserver, {"exclude_namespaces": [off]}).general.registries[0].secret
        assert policy
        assert policy.namespaces == ("*",)

    def test_what_the_command_line_names_is_all_that_is_meant(self, apiserver: RunningApiServer, team: str) -> None:
        one = make_namespace(apiserver, f"{team}-one", team)
        make_namespace(apiserver, f"{team}-two", team)
        assert places(apply(apiserver, {"namespace_selector": f"team={team}"}, namespaces=(one,))) == {
            one: Outcome.CHANGED
        }

    def test_a_label_that_nobody_has_is_told(self, apiserver: RunningApiServer, team: str) -> None:
        report = apply(apiserver, {"namespace_selector": f"team={team}"})
        assert report.items == ()
        assert "namespaces-none-match" in codes(report)

    def test_a_right_that_is_missing_is_named_with_a_manifest(self, apiserver: RunningApiServer, team: str) -> None:
        with open_cluster(str(apiserver.kubeconfig("limited"))) as limited:
            problem = limited.namespaces(Namespaces(selector=f"team={team}"))
        assert isinstance(problem, Problem)
        assert "is not allowed to list namespaces" in problem.message
        assert "kind: ClusterRole\n" in problem.hint
        assert "resources: [namespaces]" in problem.hint


class TestRotation:
    def test_a_new_password_reaches_every_copy(self, apiserver: RunningApiServer, team: str) -> None:
        spaces = [make_namespace(apiserver, f"{team}-{number}", team) for number in range(3)]
        secret = {"namespace_selector": f"team={team}"}
        apply(apiserver, secret, password="one")
        assert set(places(apply(apiserver, secret, password="canary-two")).values()) == {Outcome.CHANGED}
        assert {password_in(apiserver, space) for space in spaces} == {"canary-two"}

    def test_a_copy_that_is_no_longer_asked_for_is_told_and_left(self, apiserver: RunningApiServer, team: str) -> None:
        kept, left = (make_namespace(apiserver, f"{team}-{name}", team) for name in ("kept", "left"))
        secret = {"namespace_selector": f"team={team}"}
        apply(apiserver, secret, password="one")
        labels = {"metadata": {"labels": {"team": None}}}
        apiserver.ask("PATCH", f"/api/v1/namespaces/{left}", labels, kind=MERGE)
        report = apply(apiserver, secret, password="two")
        assert places(report) == {kept: Outcome.CHANGED}
        told = [f for f in report.warnings if f.code == "secret-no-longer-wanted" and left in f.message]
        assert told
        assert f"secret remove --registry {REGISTRY} --secret-name harbor-pull -n {left}" in told[0].hint
        assert password_in(apiserver, left) == "one"
        assert "secret-no-longer-wanted" not in codes(apply(apiserver, secret, password="two", namespaces=(kept,)))

    def test_what_we_wrote_by_other_means_before_is_no_conflict(self, apiserver: RunningApiServer, team: str) -> None:
        space = make_namespace(apiserver, f"{team}-old", team)
        payload = build_payload(*_old_login(), "kubesphere")
        body = {
            "metadata": {"name": "harbor-pull", "labels": {"app.kubernetes.io/managed-by": "harbor-agent"}},
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": base64.b64encode(payload).decode()},
        }
        apiserver.ask("POST", f"/api/v1/namespaces/{space}/secrets?fieldManager=harbor-agent", body)
        assert places(apply(apiserver, {"namespaces": [space]}, password="new")) == {space: Outcome.CHANGED}
        assert password_in(apiserver, space) == "new"

    def test_a_server_that_knows_no_apply_is_written_to_all_the_same(self, tmp_path: Path) -> None:
        with standing_in(tmp_path) as server, open_cluster(str(server.kubeconfig())) as cluster:
            for password, action in (("one", SecretAction.CREATE), ("two", SecretAction.UPDATE)):
                spec = SecretSpec(
                    name="pull",
                    address=Address.parse("192.168.0.99"),
                    credentials=Credentials(username="u", password=Sensitive(password)),
                )
                result = apply_secret(cluster, spec, "demo")
                assert (result.outcome, result.action) == (Outcome.CHANGED, action)
                assert apply_secret(cluster, spec, "demo").outcome is Outcome.UNCHANGED


def _old_login() -> tuple[Address, Credentials]:
    return Address.parse(REGISTRY), Credentials(username="robot$p+n", password=Sensitive("old"))


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


class TestOlderPods:
    def test_pods_that_would_need_to_be_created_anew_are_listed(self, apiserver: RunningApiServer, team: str) -> None:
        space = make_namespace(apiserver, f"{team}-shop", team)
        node = add_node(apiserver, f"{team}-node")
        pods = {
            "waiting": {"image": f"{REGISTRY}/shop/web:1"},
            "elsewhere": {"image": "quay.io/shop/web:1"},
            "own-secret": {"image": f"{REGISTRY}/shop/web:1", "pull_secret": "own"},
            "done": {"image": f"{REGISTRY}/shop/web:1", "phase": "Succeeded"},
            "other-account": {"image": f"{REGISTRY}/shop/web:1", "account": "builder"},
        }
        for name, members in pods.items():
            add_pod(apiserver, node, name, namespace=space, **members)
        report = apply(apiserver, {"namespaces": [space], "service_accounts": ["default"]})
        (told,) = [warning for warning in report.warnings if warning.code == "pods-without-secret"]
        assert told.message.endswith(": waiting")


class TestCommand:
    def run(self, apiserver: RunningApiServer, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = str(Path(sys.executable).with_name("harbor-agent"))
        environment = os.environ | {"HOME": str(apiserver.directory), "KUBECONFIG": str(apiserver.kubeconfig())}
        return subprocess.run(
            [program, "secret", *arguments],
            env=environment,
            cwd=apiserver.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_shown_asked_for_and_removed(self, apiserver: RunningApiServer, team: str) -> None:
        space = make_namespace(apiserver, f"{team}-shop", team)
        apply(apiserver, {"namespaces": [space], "service_accounts": ["default"]}, password="canary-password")
        shown = self.run(apiserver, "show", "-n", space, "-o", "json")
        document = json.loads(shown.stdout)
        jsonschema.validate(document, json.loads((SCHEMAS / "secrets-2.json").read_text()))
        assert document["secrets"] == [
            {
                "namespace": space,
                "name": "harbor-pull",
                "registry": REGISTRY,
                "username": "robot$p+n",
                "copy": False,
                "service_accounts": ["default"],
            }
        ]
        wish = ("remove", "--registry", REGISTRY, "-n", space)
        asked = self.run(apiserver, *wish)
        assert asked.returncode == 7, asked.stderr
        assert f"{space}/harbor-pull" in asked.stderr
        done = self.run(apiserver, *wish, "--yes", "-o", "json")
        jsonschema.validate(json.loads(done.stdout), json.loads((SCHEMAS / "secret-2.json").read_text()))
        assert done.returncode == 0, done.stderr
        assert "Pull secrets: none created by harbor-agent" in self.run(apiserver, "show", "-n", space).stdout
        assert "canary" not in shown.stdout + shown.stderr + asked.stderr + done.stdout + done.stderr


def test_who_may_not_list_is_told_what_is_missing(apiserver: RunningApiServer) -> None:
    with open_cluster(str(apiserver.kubeconfig("limited"))) as limited:
        problem = limited.labelled("*")
    assert isinstance(problem, Problem)
    assert "is not allowed to list secrets" in problem.message


def test_where_there_is_none_none_is_shown(apiserver: RunningApiServer) -> None:
    file = parse_settings({"kubeconfig": str(apiserver.kubeconfig())}, Source(name="test"))
    everywhere = Resolved(request=RunRequest(), general=build_policy(file, RegistryFlags()))
    assert list_secrets(everywhere, ("no-such-namespace",)) == []
