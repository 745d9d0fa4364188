"""Failed pulls: only a refusal by the daemon itself rolls a change back; any other failure stops the rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.images import busybox_root

if TYPE_CHECKING:
    from tests.e2e.site import Ended, Site

pytestmark = pytest.mark.needs("nodes")


def _apply(site: Site, registry: str, image: str) -> Ended:
    inventory = site.lab.write_inventory("proof.ini", nodes=site.nodes)
    run = ("-i", inventory, "--registry", registry, "--verify-image", image, "--allow-unreachable-registry")
    return site.agent("apply", *run, "--yes", "-o", "json")


def _assert_only_the_canary_changed(ended: Ended, code: str) -> None:
    assert ended.code == 1, ended.stderr
    canary, *others = ended.document["nodes"]
    assert (canary["outcome"], canary["verified"], canary["code"]) == ("changed", False, code)
    assert {node["outcome"] for node in others} == {"skipped"}
    assert all("not changed" in node["reason"] for node in others)


def test_a_registry_that_is_down_takes_nothing_back_and_stops_after_the_canary(fresh_site: Site) -> None:
    down = f"{fresh_site.lab.address}:5999"
    _assert_only_the_canary_changed(_apply(fresh_site, down, "demo/hello:1.0"), "pull-unreachable")
    assert down in fresh_site.nodes[0].run("docker info").stdout


def test_a_node_that_is_right_already_is_proven_too(fresh_site: Site) -> None:
    down = f"{fresh_site.lab.address}:5999"
    inventory = fresh_site.lab.write_inventory("proof.ini", nodes=fresh_site.nodes[:1])
    ended = fresh_site.agent(
        "verify", "-i", inventory, "--registry", down, "--verify-image", "demo/hello:1.0", "-o", "json"
    )
    assert ended.code == 1, ended.stderr
    assert (ended.node("node1")["outcome"], ended.node("node1")["code"]) == ("failed", "pull-unreachable")


def test_containers_that_nothing_starts_again_are_not_stopped_unasked(fresh_site: Site) -> None:
    site = fresh_site
    node = site.nodes[1]
    node.load_image("precious:1", busybox_root(node.base))
    node.start_container("precious", "precious:1", restart="no")
    inventory = site.lab.write_inventory("proof.ini", nodes=[node])
    common = ("apply", "-i", inventory, "--registry", site.registry.entry, "--yes", "-o", "json")
    refused = site.agent(*common)
    assert refused.code == 5, refused.stderr
    assert refused.node(node.name)["code"] == "containers-would-stop"
    assert "precious" in refused.node(node.name)["reason"]
    assert "precious" in node.run("docker ps --format '{{.Names}}'").stdout
    accepted = site.agent(*common, "--accept-restart")
    assert accepted.code == 0, accepted.stderr
    assert accepted.node(node.name)["reason"].endswith("no longer running: precious")
    assert site.registry.entry in node.run("docker info").stdout
