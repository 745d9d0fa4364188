"""Pull secrets in many namespaces: selected, updated and listed."""

from __future__ import annotations

import base64
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
    list_secrets,
)
from harbor_agent.engine.secrets.sync import apply_secret
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
from tests.cluster.standin import standing_in
from tests.lab.kubelet import add_node, add_pod

if TYPE_CHECKING:
    from tests.lab.apiserver import RunningApiServer

from tests.cluster.many_namespaces import MERGE, REGISTRY, apply, codes, make_namespace, password_in, places, resolve

pytestmark = pytest.mark.needs("apiserver")

SCHEMAS = Path(__file__).resolve().parents[2] / "docs/schemas"


def build_login() -> tuple[Address, Credentials]:
    return Address.parse(REGISTRY), Credentials(username="robot$p+n", password=Sensitive("old"))


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
        payload = build_payload(*build_login(), "kubesphere")
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
