"""Another program keeps rewriting the file: the node is quarantined, and drift no longer corrects it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Ended, Site
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes")

_DROP_IN = "/etc/systemd/system/docker.service.d/docker-options.conf"
# Another manager with its own idea of the file, which never sleeps for long.
_REWRITE = """\
printf '# managed by the other team\\n[Service]\\nEnvironment=DOCKER_OPTS=--mtu=1400\\n' >/var/theirs
while :; do
  cmp -s /var/theirs FILE || { cp /var/theirs FILE.new; mv FILE.new FILE; echo x >>/var/rewritten; }
  sleep 0.5
done
""".replace("FILE", _DROP_IN)


@contextmanager
def rewriting(node: LabNode) -> Iterator[None]:
    """Have the other manager at work while the block lasts."""
    node.run("rm -f /var/rewritten; cat >/var/rewrite", stdin=_REWRITE.encode())
    node.run("systemd-run --quiet --unit=other-manager /bin/sh /var/rewrite")
    try:
        wait_until(lambda: node.succeeds("[ -s /var/rewritten ]"), "it has rewritten the file", seconds=30)
        # What a change that fails can be taken back to.
        node.run("systemctl daemon-reload && systemctl restart docker")
        yield
    finally:
        node.run("systemctl stop other-manager")


def test_a_file_that_is_rewritten_all_the_time_is_a_fight_and_is_left_alone(site: Site) -> None:
    node, other = site.nodes[:2]
    inventory = site.lab.write_inventory("fight.ini", nodes=[node, other])
    settings = site.lab.folder / "fight.yaml"
    # A daemon that was started with their file is waited for in vain.
    rollout = {"health_deadline": 10}
    settings.write_text(json.dumps({"registries": [site.registry.entry, "10.99.0.1:5999"], "rollout": rollout}))

    def agent(*arguments: str) -> Ended:
        return site.agent(*arguments, "-i", inventory, "-c", settings, "-o", "json")

    def correct() -> Ended:
        return agent("drift", "--correct", "--allow-unreachable-registry", "--yes")

    assert agent("apply", "--allow-unreachable-registry", "--yes").code == 0
    with rewriting(node):
        rounds = [correct()]
        while rounds[-1].node(node.name)["code"] != "drift-quarantined" and len(rounds) < 6:
            rounds.append(correct())
        last = rounds[-1]
        assert (last.code, last.node(node.name)["code"]) == (5, "drift-quarantined"), last.document
        # The rounds before are one correction at least, and no more than three.
        corrected = [ended.document["run"] for ended in rounds if ended.document["run"]]
        assert 1 <= len(corrected) <= 3, corrected
        assert "managed by the other team" in last.node(node.name)["message"]
        assert _DROP_IN in last.node(node.name)["message"]

        before = node.run("systemctl show -p MainPID,NRestarts docker").stdout
        again = correct()
        assert (again.code, again.document["run"], again.node(other.name)["status"]) == (5, None, "in_sync")
        assert node.run("systemctl show -p MainPID,NRestarts docker").stdout == before
        assert agent("drift").code == 3
    assert node.succeeds("docker info"), "the node is none the worse for it"
    assert [run["kind"] for run in site.agent("history", "-o", "json").document["runs"]][:1] == ["correct"]

    assert site.agent("drift", "release", node.name).code == 0
    assert correct().code == 0
    # What the other manager has left beside it stays, and is told, until a person takes it as it is.
    assert agent("apply", "--allow-unreachable-registry", "--yes").code == 0
    assert agent("drift").code == 0
