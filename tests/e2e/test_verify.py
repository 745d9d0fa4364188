"""verify checks each login once from the controller, then reports what each node sees of the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import IMAGE, PULLER

if TYPE_CHECKING:
    from tests.e2e.site import Site

pytestmark = pytest.mark.needs("nodes")


def test_a_wrong_login_is_tried_once_from_here_and_on_no_node(fresh_site: Site) -> None:
    site = fresh_site
    inventory = site.lab.write_inventory("verify.ini", nodes=site.nodes)
    login = ("--username", PULLER.name, "--password-stdin", "--verify-image", IMAGE)
    run = ("verify", "-i", inventory, "--registry", site.registry.entry, *login, "-o", "json")
    ended = site.agent(*run, stdin="wrong\n")
    assert ended.code == 1, ended.stderr
    assert ended.document["error"]["code"] == "registry-credentials-wrong"


def test_what_stands_between_a_node_and_its_registry_is_said_node_by_node(fresh_site: Site) -> None:
    site = fresh_site
    down = f"{site.lab.address}:5999"
    inventory = site.lab.write_inventory("verify.ini", nodes=site.nodes[:2])
    ended = site.agent("verify", "-i", inventory, "--registry", down, "-o", "json")
    told = [warning["message"] for warning in ended.document["warnings"] if warning["code"] == "registry-not-answering"]
    assert [message.partition(":")[0] for message in told] == ["node1", "node2"]
