"""Edits by others are detected and named, and corrected if a user has approved the settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from tests.e2e.site import Ended, Site
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes")

_SCHEMAS = Path(__file__).resolve().parents[2] / "docs/schemas"
_DROP_IN = "/etc/systemd/system/docker.service.d/docker-options.conf"
_DAEMON_JSON = "/etc/docker/daemon.json"
# What kubespray's next run does to its own file: it knows nothing of the registry.
_KUBESPRAY = '[Service]\nEnvironment="DOCKER_OPTS=--data-root=/var/lib/docker --log-opt max-size=50m"\n'


class Fleet:
    """The site's nodes with a settings file, looked at and corrected as a timer would."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.inventory = site.lab.write_inventory("drift.ini", nodes=site.nodes)
        self.settings = site.lab.folder / "drift.yaml"
        self.settings.write_text(json.dumps({"registries": [site.registry.entry], "rollout": {"batch": 3}}))

    def agent(self, command: str, *further: str) -> Ended:
        return self.site.agent(command, "-i", self.inventory, "-c", self.settings, "-o", "json", *further)

    def apply(self, *further: str) -> Ended:
        return self.agent("apply", "--yes", *further)

    def drift(self, *further: str) -> Ended:
        ended = self.agent("drift", *further)
        schema = json.loads((_SCHEMAS / "drift-2.json").read_text(encoding="utf-8"))
        Draft202012Validator(schema).validate(ended.document)
        return ended

    def correct(self, *further: str) -> Ended:
        return self.drift("--correct", "--yes", *further)

    def trusts(self, node: LabNode) -> bool:
        return node.succeeds(
            f"docker info --format '{{{{json .RegistryConfig}}}}' | grep -q {self.site.registry.entry}"
        )


@pytest.fixture(scope="module")
def fleet(fresh_site: Site) -> Fleet:
    fleet = Fleet(fresh_site)
    before = fleet.drift()
    assert (before.code, before.document["summary"]["unmanaged"]) == (3, 3), before.stderr
    applied = fleet.apply()
    assert applied.code == 0, applied.stderr
    return fleet


def _files(ended: Ended, node: LabNode) -> list[str]:
    return [file["path"] for file in ended.node(node.name)["files"]]


def _history(site: Site) -> dict[str, Any]:
    newest: dict[str, Any] = site.agent("history", "-o", "json").document["runs"][0]
    return newest


def test_what_was_applied_is_no_drift_with_or_without_a_registry_named(fleet: Fleet) -> None:
    named = fleet.drift()
    assert (named.code, named.document["summary"]["in_sync"]) == (0, 3), named.document
    unnamed = fleet.site.agent("drift", "-i", fleet.inventory)
    assert (unnamed.code, unnamed.stdout.splitlines()[-1]) == (0, "Drift: 3 in sync"), unnamed.stdout


def test_another_wish_is_pending_and_never_corrected(fleet: Fleet) -> None:
    before = [fleet.site.files(node) for node in fleet.site.nodes]
    corrected = fleet.correct("--registry", "other.lan")
    assert (corrected.code, corrected.document["summary"]["pending"], corrected.document["run"]) == (3, 3, None)
    assert [fleet.site.files(node) for node in fleet.site.nodes] == before


def test_a_hand_edit_and_a_rewritten_file_are_named_and_undone(fleet: Fleet) -> None:
    by_hand, by_kubespray = fleet.site.nodes[0], fleet.site.nodes[1]
    by_hand.run(f"rm {_DROP_IN} && systemctl daemon-reload && systemctl restart docker")
    by_kubespray.run(
        f"cat >{_DROP_IN} && systemctl daemon-reload && systemctl restart docker", stdin=_KUBESPRAY.encode()
    )

    found = fleet.drift()
    assert (found.code, found.document["summary"]["drift"]) == (3, 2), found.document
    for node in (by_hand, by_kubespray):
        assert _files(found, node) == [_DROP_IN]
        assert found.node(node.name)["in_files"]
        assert {"entry": fleet.site.registry.entry, "where": "file", "wanted": True} in found.node(node.name)["entries"]
    assert found.node(by_hand.name)["files"][0]["found"] == "absent"
    assert f"{_DROP_IN} is missing" in fleet.site.agent("drift", "-i", fleet.inventory).stdout
    report = ET.fromstring(fleet.site.agent("drift", "-i", fleet.inventory, "-o", "junit").stdout)
    failed = {case.get("name") for case in report.iter("testcase") if case.find("failure") is not None}
    assert failed == {by_hand.name, by_kubespray.name}

    one = fleet.correct("--max-nodes", "1", "--note", "by timer")
    assert one.code == 3, one.stderr
    assert [node["outcome"] for node in one.document["run"]["nodes"]] == ["changed"]
    assert one.node(by_kubespray.name)["code"] == "drift-left-over"
    run = _history(fleet.site)
    assert (run["kind"], run["note"], [node["node"] for node in run["nodes"]]) == (
        "correct",
        "by timer",
        [by_hand.name],
    )

    rest = fleet.correct()
    assert rest.code == 0, rest.document
    assert all(fleet.trusts(node) for node in fleet.site.nodes)
    # What kubespray set stays; only ours was brought back.
    assert "max-size=50m" in by_kubespray.run(f"cat {_DROP_IN}").stdout


def test_a_daemon_that_has_not_read_its_files_is_told_again(fleet: Fleet) -> None:
    fleet.apply()
    node = fleet.site.nodes[2]
    content = node.run(f"cat {_DAEMON_JSON}").stdout
    node.run(f"echo '{{\"insecure-registries\":[]}}' >{_DAEMON_JSON} && systemctl reload docker")
    node.run(f"cat >{_DAEMON_JSON}", stdin=content.encode())
    found = fleet.drift()
    stale = found.node(node.name)
    assert (found.code, stale["status"], stale["files"], stale["in_files"]) == (3, "drift", [], False), stale
    assert stale["entries"] == [{"entry": fleet.site.registry.entry, "where": "runtime", "wanted": True}]
    corrected = fleet.correct()
    assert corrected.code == 0, corrected.document
    assert corrected.document["run"]["nodes"][0]["action"] == "reload"
    assert fleet.trusts(node)


def test_an_edit_that_leaves_the_registry_trusted_is_told_until_a_person_takes_it_in(fleet: Fleet) -> None:
    node = fleet.site.nodes[0]
    node.run(f"sed -i '1i # looked at by ops' {_DROP_IN} && systemctl daemon-reload")
    before = fleet.site.files(node)
    corrected = fleet.correct()
    assert (corrected.code, corrected.node(node.name)["code"]) == (3, "drift-edit-kept"), corrected.document
    assert fleet.site.files(node) == before
    applied = fleet.apply()
    assert (applied.code, applied.node(node.name)["outcome"]) == (0, "unchanged")
    assert fleet.drift().code == 0
    assert fleet.site.files(node) == before


def test_many_at_once_are_no_drift_but_a_suspect_input(fleet: Fleet) -> None:
    for node in fleet.site.nodes[:2]:
        node.run(f"echo >{_DROP_IN}")
    before = [fleet.site.files(node) for node in fleet.site.nodes]
    corrected = fleet.correct("--max-drifted", "1")
    assert (corrected.code, corrected.document["blocked_by"]["code"]) == (7, "drift-suspect")
    assert [fleet.site.files(node) for node in fleet.site.nodes] == before
    # kubespray's own options are gone from the file too, and the running dockerd still has them
    refused = fleet.correct()
    assert (refused.code, refused.node(fleet.site.nodes[1].name)["code"]) == (5, "latent-edit"), refused.document
    assert fleet.correct("--accept-restart").code == 0


def test_a_node_that_is_set_back_to_the_same_is_quarantined_until_it_is_released(fleet: Fleet) -> None:
    node = fleet.site.nodes[0]
    owned = "# this file is managed by salt\n[Service]\nEnvironment=DOCKER_OPTS=--mtu=1400\n"
    for _ in range(2):
        node.run(f"cat >{_DROP_IN} && systemctl daemon-reload && systemctl restart docker", stdin=owned.encode())
        last = fleet.correct()
    assert (last.code, last.node(node.name)["code"]) == (5, "drift-quarantined"), last.document
    assert "managed by salt" in last.node(node.name)["message"]
    assert _DROP_IN in last.node(node.name)["message"]
    assert not fleet.trusts(node)
    again = fleet.correct()
    assert (again.code, again.document["run"], fleet.trusts(node)) == (5, None, False)
    assert again.node(node.name)["quarantined_since"]
    assert fleet.site.agent("drift", "release", node.name).code == 0
    assert fleet.site.agent("drift", "release", node.name).code == 2
    assert fleet.correct().code == 0
    assert fleet.trusts(node)


def test_a_reinstalled_node_is_unmanaged_and_taken_in(fleet: Fleet) -> None:
    node = fleet.site.nodes[0]
    node.renew()
    node.wait_ready()
    found = fleet.correct()
    assert (found.code, found.node(node.name)["status"], found.document["run"]) == (3, "unmanaged", None)
    applied = fleet.apply("--only-unmanaged")
    assert applied.code == 0, applied.stderr
    outcomes = {result["node"]: result["outcome"] for result in applied.document["nodes"]}
    assert outcomes == {"node1": "changed", "node2": "skipped", "node3": "skipped"}
    assert fleet.drift().code == 0


def test_a_node_without_a_way_to_root_is_not_called_unmanaged(fleet: Fleet) -> None:
    # opspw needs a password for sudo, and none is given.
    inventory = fleet.site.lab.write_inventory("plain.ini", nodes=fleet.site.nodes[:1], user="opspw")
    ended = fleet.site.agent("drift", "-i", inventory, "-o", "json")
    assert (ended.code, ended.node("node1")["status"]) == (4, "unreachable"), ended.document


def test_a_record_that_cannot_be_written_is_told_and_fails_nothing(fleet: Fleet) -> None:
    node = fleet.site.nodes[2]
    node.run("cd /var/lib/harbor-agent && mv record kept && touch record")
    applied = fleet.apply("--limit", node.name)
    assert (applied.code, applied.node(node.name)["outcome"]) == (0, "unchanged"), applied.stderr
    (warning,) = applied.document["warnings"]
    assert warning["code"] == "record-not-written"
    assert warning["message"].startswith(f"{node.name} is configured, but its record cannot be written")
    node.run("cd /var/lib/harbor-agent && rm record && mv kept record")
