"""Logins from the nodes: the first one goes first, and nothing is said of a login that was not tried."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from harbor_agent.engine.rollout.login_check import LoginCheck, check_node_logins, describe_untried_logins
from harbor_agent.model.address import Address
from harbor_agent.model.inventory import Node
from harbor_agent.model.policy import Credentials, Policy, Registry
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.transport.protocol import Completed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harbor_agent.transport.protocol import Job, Lost

REGISTRY = Registry(address=Address(host="harbor.lan"))
REJECTED = "Error response from daemon: unauthorized: authentication required"
DOWN = 'Error response from daemon: Get "http://harbor.lan/v2/": dial tcp: connection refused'


class Answering:
    """A transport to nodes whose dockerd says these words about a login, "" if it succeeds."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = words
        self.asked: list[str] = []

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        for job in jobs:
            self.asked.append(job.node.name)
            words = self._words[job.node.name]
            output = base64.b64encode((words or "Login Succeeded").encode()).decode()
            lines = ("begin", "image harbor.lan", f"status {int(bool(words))}", "seconds 60", f"output {output}", "end")
            text = "\n".join(f"harbor-agent/pull/2 {one}" if one in ("begin", "end") else one for one in lines)
            yield Completed(job=job, rc=0, stdout=f"\n{text}\n".encode(), stderr=b"", seconds=1.0)


def check(words: Mapping[str, str], runtime: str = "docker") -> tuple[dict[str, LoginCheck], list[str]]:
    transport = Answering(words)
    nodes = [(Node(name=name, address="192.0.2.1"), Policy(registries=(REGISTRY,)), runtime) for name in words]
    login = Credentials(username="robot", password=Sensitive("canary"))
    return check_node_logins(transport, nodes, {"harbor.lan": login}), transport.asked


def test_a_login_that_the_first_node_cannot_use_is_not_tried_on_the_others() -> None:
    checks, asked = check({"node1": REJECTED, "node2": "", "node3": ""})
    assert asked == ["node1"]
    problems = {name: one.problem for name, one in checks.items()}
    assert {problem.code for problem in problems.values() if problem} == {"login-rejected"}
    assert problems["node1"]
    assert "authentication required" in problems["node1"].message
    assert problems["node2"]
    assert "was not tried here" in problems["node2"].message


def test_a_login_that_only_a_later_node_cannot_use_fails_there_alone() -> None:
    checks, asked = check({"node1": "", "node2": REJECTED, "node3": "", "node4": DOWN})
    assert asked == ["node1", "node2", "node3", "node4"]
    codes = {name: one.problem.code if one.problem else None for name, one in checks.items()}
    assert codes == {"node1": None, "node2": "login-rejected", "node3": None, "node4": "pull-unreachable"}
    assert [name for name, one in checks.items() if one.succeeded] == ["node1", "node3"]


def test_a_runtime_without_logins_proves_nothing() -> None:
    checks, asked = check({"node1": ""}, runtime="containerd")
    assert asked == []
    assert (checks["node1"].unproven, checks["node1"].succeeded, checks["node1"].problem) == (["harbor.lan"], [], None)
    (warning,) = describe_untried_logins({**checks, "node2": checks["node1"], "node3": LoginCheck()})
    assert warning.code == "login-not-tried"
    assert "no login at harbor.lan was tried on node1, node2:" in warning.message
