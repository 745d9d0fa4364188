"""Harbor moves to another address, or leaves plain HTTP: docs/guides/moving.md, step by step."""

from __future__ import annotations

import base64
import json
import shlex
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.site import IMAGE, PULLER
from tests.lab.images import busybox_root
from tests.lab.registry import running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.e2e.site import Ended, Site
    from tests.lab.apiserver import RunningApiServer
    from tests.lab.files import Files
    from tests.lab.node import LabNode
    from tests.lab.registry import RunningRegistry

pytestmark = [pytest.mark.needs("nodes", "apiserver"), pytest.mark.timeout(600)]

OLD, NEW = "harbor-pull", "harbor-pull-new"
_TEAMS = ("moved-a", "moved-b")
_THEIRS = {"imagePullSecrets": [{"name": "theirs"}]}
_UNIT_STARTED = "39f53479d3a045ac8e11786248231fbf"  # systemd's message id, systemd.messages(7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A node that takes a restart, one that takes a reload, and a cluster; the settings are written for each step."""

    site: Site
    apiserver: RunningApiServer

    @property
    def nodes(self) -> tuple[LabNode, LabNode]:
        """docker.io, whose settings are arguments, and docker-ce, whose settings are in daemon.json."""
        return self.site.nodes[0], self.site.nodes[2]

    def agent(self, settings: Path, *arguments: str) -> Ended:
        """Run a command with these settings; nodes are named where it takes them."""
        nodes = ("-i", self.site.lab.write_inventory("moved.ini", nodes=self.nodes), "--yes")
        with_nodes = {"plan": nodes[:2], "verify": nodes[:2], "apply": nodes, "rollback": nodes}.get(arguments[0], ())
        return self.site.agent(*arguments, *with_nodes, "-c", settings, "-o", "json")

    def settings(self, *registries: dict[str, object]) -> Path:
        """Write harbor-agent.yaml with these registries."""
        path = self.site.lab.folder / "moved.yaml"
        document = {"registries": registries, "kubeconfig": str(self.apiserver.kubeconfig())}
        path.write_text(json.dumps(document))  # JSON is YAML
        return path

    def secret(self, namespace: str, name: str) -> dict[str, Any]:
        """The secret as the cluster holds it."""
        return self.apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")

    def secrets(self, namespace: str) -> dict[str, list[str]]:
        """The keys inside of each pull secret."""
        items = self.apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/secrets")["items"]
        return {item["metadata"]["name"]: list(json.loads(payload(item))["auths"]) for item in items}

    def attached(self, namespace: str) -> list[str]:
        """What the default service account gives to pods."""
        account = self.apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
        return [one["name"] for one in account["imagePullSecrets"]]

    def pulls(self, registry: RunningRegistry, name: str) -> bool:
        """Whether each node pulls from the registry with just what the secret holds, the same in each namespace."""
        (login,) = {payload(self.secret(team, name)).decode() for team in _TEAMS}
        return all(_pulls(node, f"{registry.entry}/{IMAGE}", login) for node in self.nodes)

    def starts(self) -> list[int]:
        """How often docker was started on each node so far."""
        command = f"journalctl -q -o cat MESSAGE_ID={_UNIT_STARTED} UNIT=docker.service | wc -l"
        return [int(node.run(command).stdout) for node in self.nodes]

    def trusted(self) -> list[set[str]]:
        """What the daemons trust, themselves aside."""
        command = "docker info --format '{{json .RegistryConfig.IndexConfigs}}'"
        indexes = [json.loads(node.run(command).stdout) for node in self.nodes]
        return [{name for name, index in one.items() if not index["Secure"]} for one in indexes]


def payload(secret: dict[str, Any]) -> bytes:
    return base64.b64decode(secret["data"][".dockerconfigjson"])


def _pulls(node: LabNode, image: str, login: str) -> bool:
    command = (
        "export DOCKER_CONFIG=$(mktemp -d -p /run) && trap 'rm -rf $DOCKER_CONFIG' EXIT; "
        f"printf %s {shlex.quote(login)} >$DOCKER_CONFIG/config.json && docker pull {image} && docker rmi {image}"
    )
    return node.succeeds(command)


def registry(address: str, secret: str) -> dict[str, object]:
    """A registry of the settings with its login, and a secret in every team's namespace."""
    login = {"username": PULLER.name, "password_env": "HARBOR_PASSWORD"}
    return {"address": address, "verify_image": IMAGE, "credentials": login, "secret": _secret(secret)}


def absent(address: str, secret: str | None = None) -> dict[str, object]:
    gone: dict[str, object] = {"address": address, "state": "absent"}
    return gone | {"secret": _secret(secret)} if secret else gone


def _secret(name: str) -> dict[str, object]:
    return {"name": name, "namespaces": list(_TEAMS), "service_accounts": ["default"]}


def harbor(site: Site, folder: Path, port: int, *, tls: bool = False) -> AbstractContextManager[RunningRegistry]:
    inside = site.lab.network.inside(())
    return running_registry(
        folder, authentication="token", logins=[PULLER], host=site.lab.address, port=port, prefix=inside, tls=tls
    )


@pytest.fixture(scope="module")
def company(fresh_site: Site, apiserver: RunningApiServer) -> Company:
    for team in _TEAMS:
        apiserver.create_namespace(team, "default")
        account = f"/api/v1/namespaces/{team}/serviceaccounts/default"
        apiserver.ask("PATCH", account, _THEIRS, kind="application/merge-patch+json")
    return Company(site=fresh_site, apiserver=apiserver)


@pytest.fixture(scope="module")
def elsewhere(fresh_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """The Harbor at the new address, with the same image."""
    with harbor(fresh_site, tmp_path_factory.mktemp("elsewhere"), 5001) as running:
        running.push(*IMAGE.split(":"), root=busybox_root(fresh_site.lab.nodes[0].base))
        yield running


def test_side_by_side_each_image_name_keeps_its_own_secret(company: Company, elsewhere: RunningRegistry) -> None:
    old, new = company.site.registry, elsewhere
    before = [company.site.files(node) for node in company.nodes]
    begun = company.agent(company.settings(registry(old.entry, OLD)), "apply")
    assert begun.code == 0, begun.stderr
    files, starts = [company.site.files(node) for node in company.nodes], company.starts()

    both = company.settings(registry(old.entry, OLD), registry(new.entry, NEW))
    added = company.agent(both, "apply")
    assert added.code == 0, added.stderr
    assert [node["verified"] for node in added.document["nodes"]] == [True, True]
    assert company.starts() == [starts[0] + 1, starts[1]]
    assert company.pulls(old, OLD)
    assert company.pulls(new, NEW)
    assert [company.secrets(team) for team in _TEAMS] == [{OLD: [old.url], NEW: [new.url]}] * 2
    assert [company.attached(team) for team in _TEAMS] == [["theirs", OLD, NEW]] * 2

    without = company.settings(registry(new.entry, NEW), absent(old.entry, OLD))
    removed = company.agent(without, "secret", "remove", "--registry", old.entry, "--yes")
    assert removed.code == 0, removed.stderr
    gone = company.agent(without, "apply")
    assert gone.code == 0, gone.stderr
    assert company.starts() == [starts[0] + 2, starts[1]]
    assert company.trusted() == [{new.entry}] * 2
    assert company.pulls(new, NEW)
    assert [company.secrets(team) for team in _TEAMS] == [{NEW: [new.url]}] * 2
    assert [company.attached(team) for team in _TEAMS] == [["theirs", NEW]] * 2
    assert company.agent(company.settings(registry(new.entry, NEW)), "plan", "--exit-code").code == 0
    _only_the_place_of_the_entry_differs(company, before, files)


def _only_the_place_of_the_entry_differs(company: Company, before: list[Files], files: list[Files]) -> None:
    """The move wrote in no file but in that which the first registry went into."""
    for node, at_first, then in zip(company.nodes, before, files, strict=True):
        place = {path for path, _ in at_first ^ then}
        assert {path for path, _ in company.site.files(node) ^ at_first} == place


def test_in_one_go_it_takes_one_restart_and_the_secret_is_switched(
    company: Company, elsewhere: RunningRegistry
) -> None:
    here, there = elsewhere, company.site.registry
    stays = company.settings(registry(here.entry, NEW))
    begun = company.agent(stays, "apply")
    assert begun.code == 0, begun.stderr
    starts, accounts = company.starts(), [company.attached(team) for team in _TEAMS]

    switch = company.settings(registry(there.entry, NEW), absent(here.entry))
    moved = company.agent(switch, "apply")
    assert moved.code == 0, moved.stderr
    assert [node["verified"] for node in moved.document["nodes"]] == [True, True]
    assert company.starts() == [starts[0] + 1, starts[1]]
    assert company.trusted() == [{there.entry}] * 2
    assert company.pulls(there, NEW)
    assert [company.secrets(team) for team in _TEAMS] == [{NEW: [there.url]}] * 2
    assert [company.attached(team) for team in _TEAMS] == accounts
    kept = company.agent(switch, "secret", "remove", "--registry", here.entry, "--secret-name", NEW, "-n", _TEAMS[0])
    assert [secret["code"] for secret in kept.document["secret"]["secrets"]] == ["secret-of-another-registry"]

    undone = company.agent(switch, "rollback", moved.document["run_id"])
    assert undone.code == 0, undone.stderr
    assert company.trusted() == [{here.entry}] * 2
    back = company.agent(company.settings(registry(here.entry, NEW)), "secret", "apply")
    assert back.code == 0, back.stderr
    assert company.pulls(here, NEW)


def test_a_harbor_leaves_plain_http_and_no_node_is_ever_unable_to_pull(company: Company, tmp_path: Path) -> None:
    with ExitStack() as plain:
        http = plain.enter_context(harbor(company.site, tmp_path, 5002))
        http.push(*IMAGE.split(":"), root=busybox_root(company.nodes[0].base))
        begun = company.agent(company.settings(registry(http.entry, OLD)), "apply")
        assert begun.code == 0, begun.stderr
    with harbor(company.site, tmp_path, 5002, tls=True) as https:
        starts = company.starts()
        assert company.pulls(https, OLD)  # the entry takes any certificate
        _a_certificate_that_nodes_do_not_know_is_found_out(company, https)
        assert company.pulls(https, OLD)
        assert company.starts() == [starts[0] + 2, starts[1]]  # there and back

        assert https.authority
        for node in company.nodes:
            folder = f"/etc/docker/certs.d/{https.entry}"
            node.run(f"mkdir -p {folder} && cat >{folder}/ca.crt", stdin=https.authority.read_bytes())
        left = company.settings(registry(https.url, OLD), absent(http.entry))
        done = company.agent(left, "apply")
        assert done.code == 0, done.stderr
        assert [node["verified"] for node in done.document["nodes"]] == [True, True]
        assert company.starts() == [starts[0] + 3, starts[1]]
        assert not any(https.entry in trusted for trusted in company.trusted())
        assert company.pulls(https, OLD)
        for team in _TEAMS:
            assert company.secrets(team)[OLD] == [f"https://{https.entry}"]
            assert set(company.secret(team, OLD)["metadata"]["annotations"]) == {"harbor-agent/record"}
        assert company.agent(company.settings(registry(https.url, OLD)), "verify").code == 0


def _a_certificate_that_nodes_do_not_know_is_found_out(company: Company, https: RunningRegistry) -> None:
    """The plan tells of the entry that is left over; taking it out fails on the first node, and is taken back there."""
    planned = company.agent(company.settings(registry(https.url, OLD)), "plan")
    for node in planned.document["nodes"]:
        assert "ours-no-longer-wanted" in {warning["code"] for warning in node["warnings"]}
        assert node["status"] == "unchanged"
    early = company.agent(company.settings(registry(https.url, OLD), absent(https.entry)), "apply")
    assert early.code == 1, early.stderr
    first, second = (early.node(node.name) for node in company.nodes)
    assert (first["outcome"], first["code"]) == ("rolled_back", "certificate-ca-missing")
    assert second["outcome"] == "skipped"
    assert all(https.entry in trusted for trusted in company.trusted())
    assert company.secrets(_TEAMS[0])[OLD] == [f"http://{https.entry}"]
