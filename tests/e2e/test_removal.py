"""Entries that were added can be removed, and a change that the daemon does not survive is rolled back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.site import Site

pytestmark = pytest.mark.needs("nodes")

_DAEMON_JSON = "/etc/docker/daemon.json"

# Docker in the fleet's own wrapping: it starts with everything but the registry, which no check beforehand can tell.
_FRAGILE_DOCKERD = """\
mv /usr/sbin/dockerd /usr/sbin/dockerd.real
cat >/usr/sbin/dockerd <<'END'
#!/bin/sh
[ "$(id -u)" != 0 ] || case "$*" in *10.99.0.1:5000*) exit 1 ;; esac
exec /usr/sbin/dockerd.real "$@"
END
chmod 755 /usr/sbin/dockerd
systemctl restart docker
"""


def test_a_removal_leaves_nothing_but_an_empty_list(fresh_site: Site) -> None:
    site = fresh_site
    before = [site.files(node) for node in site.nodes]
    run = ("-i", site.lab.write_inventory(nodes=site.nodes), "--registry", site.registry.entry, "--yes")
    added = site.agent("apply", *run)
    assert added.code == 0, added.stderr
    assert all(site.registry.entry in node.run("docker info").stdout for node in site.nodes)
    removed = site.agent("apply", *run, "--absent")
    assert removed.code == 0, removed.stderr
    assert all(site.registry.entry not in node.run("docker info").stdout for node in site.nodes)
    left = [{path for path, _ in site.files(node) ^ files} for node, files in zip(site.nodes, before, strict=True)]
    # A reload without the key keeps what was there (moby#36632), so where nothing is restarted the list stays, empty.
    assert left == [set(), set(), {_DAEMON_JSON}]
    assert json.loads(site.nodes[2].run(f"cat {_DAEMON_JSON}").stdout) == {"insecure-registries": []}


def test_a_node_whose_dockerd_does_not_start_is_put_back_and_the_rollout_stops(fresh_site: Site) -> None:
    site = fresh_site
    first, second = site.nodes[:2]
    first.run(_FRAGILE_DOCKERD)
    before = [site.files(node) for node in (first, second)]
    inventory = site.lab.write_inventory(nodes=[first, second])
    ended = site.agent("apply", "-i", inventory, "--registry", site.registry.entry, "--yes", "-o", "json")
    assert ended.code == 1, ended.stderr
    assert ended.node(first.name)["outcome"] == "rolled_back"
    assert ended.node(second.name)["outcome"] not in {"changed", "failed"}
    assert [site.files(node) for node in (first, second)] == before
    first.run("systemctl is-active docker && docker info")
