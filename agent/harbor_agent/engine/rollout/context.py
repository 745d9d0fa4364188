"""The context of a rollout, passed to each of its steps."""

from __future__ import annotations

import secrets as randomness
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harbor_agent.engine.proof.runtime import RuntimeProver
from harbor_agent.engine.rollout.hooks import NoHooks
from harbor_agent.engine.rollout.stop import StopRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.proof.check import Prover, PullCheck
    from harbor_agent.engine.rollout.hooks import RolloutHooks
    from harbor_agent.engine.steps import StepClock
    from harbor_agent.model.policy import Credentials, Rollout
    from harbor_agent.transport.protocol import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutContext:
    """One run with its transport and settings. `credentials` are by registry entry.

    `stop` returns an exit code once the run should start nothing new. A correction restores what a person applied
    before, and its records keep that run as the approved one. `prover` proves the pulls of the nodes; without
    one, their runtimes do. `clock` measures the steps of the nodes that the listener hears of.
    """

    run_id: str
    transport: Transport
    rollout: Rollout
    credentials: Mapping[str, Credentials]
    listener: Listener
    note: str = ""
    is_correction: bool = False
    stop: StopRequest = field(default_factory=StopRequest)
    hooks: RolloutHooks = field(default_factory=NoHooks)
    prover: Prover | None = None
    clock: StepClock | None = None

    def prove_pulls(self, planned: Sequence[PlannedNode]) -> dict[str, PullCheck]:
        """Have nodes prove that they pull. Keys are node names."""
        prover = self.prover or RuntimeProver(self.transport, self.credentials, self.listener)
        return prover(planned)


def create_run_id() -> str:
    """Return a name for a run that sorts by time and is unique: UTC to the second, and four random digits."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{randomness.token_hex(2)}"
