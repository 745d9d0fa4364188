"""Proof by the node's own runtime, which pulls with the login of the run; kubelet has no part in it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harbor_agent.engine.events import NodeStep, announce
from harbor_agent.engine.proof.check import PullCheck
from harbor_agent.errors import Problem
from harbor_agent.model.result import PullReport, PullVerdict, Step
from harbor_agent.node.wire import programs as wire
from harbor_agent.transport.protocol import Job, decode_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.policy import Credentials, Policy, Registry
    from harbor_agent.transport.protocol import Transport

_PULL_TIMEOUT = 300.0


class RuntimeProver:
    """Has the runtime of each node pull; `credentials` are by registry entry."""

    def __init__(self, transport: Transport, credentials: Mapping[str, Credentials], listener: Listener) -> None:
        """Keep them; `listener` gets the steps of the nodes."""
        self._transport, self._credentials, self._listener = transport, credentials, listener

    def __call__(self, planned: Sequence[PlannedNode]) -> dict[str, PullCheck]:
        """Pull each registry's `verify_image` on each node. Keys are node names."""
        checks = {one.node.name: PullCheck() for one in planned}
        images = dict.fromkeys(registry for one in planned for registry in _list_verifiable(one.policy))
        for registry in images:
            concerned = [(one.node, one.runtime) for one in planned if registry in _list_verifiable(one.policy)]
            for name, pull, seconds in self._pull_image(concerned, registry):
                checks[name] = checks[name].add_pull(pull, seconds)
        return checks

    def _pull_image(self, nodes: Sequence[tuple[Node, str]], registry: Registry) -> list[tuple[str, PullReport, float]]:
        image = f"{registry.address.entry}/{registry.verify_image}"
        login = self._credentials.get(registry.address.entry)
        programs = {
            runtime: wire.build_pull_program(runtime, image, login, registry.address.config_key)
            for runtime in {runtime for _, runtime in nodes}
        }
        jobs = [
            Job(
                node=node,
                program=programs[runtime],
                timeout=_PULL_TIMEOUT,
                on_start=announce(self._listener, node.name, Step.PULL),
            )
            for node, runtime in nodes
        ]
        reports: list[tuple[str, PullReport, float]] = []
        for result in self._transport.run(jobs):
            pull = decode_answer(result, partial(wire.decode_pull, registry=registry.address))
            if isinstance(pull, Problem):
                pull = PullReport(image=image, verdict=PullVerdict.FAILED, detail=pull.message)
            self._listener(NodeStep(node=result.job.node.name, step=Step.WAIT))
            reports.append((result.job.node.name, pull, result.seconds))
        return reports


def _list_verifiable(policy: Policy) -> tuple[Registry, ...]:
    return tuple(registry for registry in policy.present if registry.verify_image)
