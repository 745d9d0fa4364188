"""The proof by pods in a run: opened if it is requested, and what it needs and leaves."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from harbor_agent.engine.proof.opening import open_prover
from harbor_agent.engine.proof.pods import Deadlines, ProverOptions
from harbor_agent.engine.rollout.stop import StopRequest

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.engine.proof.pods import PodProver
    from harbor_agent.engine.rollout.context import RolloutContext
    from harbor_agent.engine.secrets.report import SecretsReport
    from harbor_agent.errors import Problem

_READY_AGAIN_SECONDS = 60.0


def open_proof(
    run: RolloutContext, run_plan: RunPlan, *, after_change: bool, namespace: str | None = None
) -> AbstractContextManager[PodProver | None]:
    """Open the proof by pods if the request asks for it. Raises AgentError if pods cannot be used.

    A node that was changed may take a while to be Ready, and a stop request does not end its proof: a rollback depends
    on it.
    """
    if not run_plan.request.prove_with_pods:
        return nullcontext()
    options = ProverOptions(
        run_id=run.run_id,
        forks=run_plan.request.selection.forks,
        listener=run.listener,
        stop=StopRequest() if after_change else run.stop,
        deadlines=Deadlines(ready=_READY_AGAIN_SECONDS if after_change else 0.0),
    )
    return open_prover(run_plan, options, namespace)


def find_missing_secret(secrets: SecretsReport | None) -> str | None:
    """Return why no node should change, if the secrets that the pods need could not be written."""
    if secrets is None or secrets.status != "failed":
        return None
    return "the pull secret, which the pods need, could not be written"


def list_left_pods(prover: PodProver | None) -> tuple[Problem, ...]:
    """Return the warning about pods that could not be deleted."""
    return prover.warnings if prover else ()
