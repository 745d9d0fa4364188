"""Rollbacks: shown first, applied like any other change, and exactly the earlier state afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.site import Ended, Site

pytestmark = pytest.mark.needs("nodes")


def _apply(site: Site, inventory: Path, registry: str) -> str:
    arguments = ("-i", inventory, "--registry", registry, "--allow-unreachable-registry", "--yes", "-o", "json")
    ended = site.agent("apply", *arguments)
    assert ended.code == 0, ended.stderr
    return str(ended.document["run_id"])


def _rollback(site: Site, inventory: Path, *what: str) -> Ended:
    return site.agent("rollback", *what, "-i", inventory, "--yes", "-o", "json")


def test_runs_go_back_one_by_one_and_only_in_their_order(fresh_site: Site) -> None:
    site = fresh_site
    inventory = site.lab.write_inventory("back.ini", nodes=site.nodes)
    pristine = [site.files(node) for node in site.nodes]
    first = _apply(site, inventory, "a.lan:5000")
    between = [site.files(node) for node in site.nodes]
    second = _apply(site, inventory, "b.lan:5000")

    early = _rollback(site, inventory, first)
    assert early.code == 5, early.stderr
    assert {node["code"] for node in early.document["nodes"]} == {"rollback-edited"}

    back = _rollback(site, inventory, second)
    assert back.code == 0, back.stderr
    assert [site.files(node) for node in site.nodes] == between
    assert all("b.lan" not in node.run("docker info").stdout for node in site.nodes)
    assert all("a.lan" in node.run("docker info").stdout for node in site.nodes)

    back = _rollback(site, inventory, first)
    assert back.code == 0, back.stderr
    assert [site.files(node) for node in site.nodes] == pristine
    # The node that was reloaded had a file that is gone now; a SIGHUP would not have revoked its entry.
    assert all("a.lan" not in node.run("docker info").stdout for node in site.nodes)


def test_a_node_goes_back_to_what_was_found_first(fresh_site: Site) -> None:
    site = fresh_site
    node = site.nodes[1]
    inventory = site.lab.write_inventory("back.ini", nodes=[node])
    pristine = site.files(node)
    _apply(site, inventory, "a.lan:5000")
    _apply(site, inventory, "b.lan:5000")
    last = _rollback(site, inventory, "--node", node.name)
    assert last.code == 0, last.stderr
    assert "b.lan" not in node.run("docker info").stdout
    _apply(site, inventory, "c.lan:5000")
    first = _rollback(site, inventory, "--pristine")
    assert first.code == 0, first.stderr
    assert site.files(node) == pristine
    again = _rollback(site, inventory, "--pristine")
    assert (again.code, again.node(node.name)["outcome"]) == (0, "unchanged")


def test_a_run_that_a_node_does_not_know_is_said_and_changes_nothing(fresh_site: Site) -> None:
    site = fresh_site
    inventory = site.lab.write_inventory("back.ini", nodes=site.nodes[:1])
    ended = _rollback(site, inventory, "20200101T000000Z-0000")
    assert ended.code == 2, ended.stderr
    assert ended.document["error"]["code"] == "run-unknown"
    assert site.nodes[0].name in ended.document["error"]["message"]
