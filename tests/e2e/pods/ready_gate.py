"""The gate behind a wave, with a deadline of its own: node that was restarted, seconds, kubeconfig; the result as JSON.

A program, because only processes in the lab's network reach its API server.
"""

from __future__ import annotations

import json
import sys

from harbor_agent.engine.rollout.kubernetes_hooks import Deadlines, HookOptions, connect_hooks
from tests.cluster.rollouts import RUN, ended, planned


def main(name: str, seconds: str, kubeconfig: str) -> None:
    """Print what the gate makes of a node whose restart went well."""
    options = HookOptions(
        run_id=RUN,
        kubeconfig=kubeconfig,
        context=None,
        drain=False,
        listener=lambda _: None,
        deadlines=Deadlines(ready=float(seconds)),
    )
    with connect_hooks(options, [planned(name)]) as hooks:
        hooks.before_wave([planned(name)])
        (result,) = hooks.after_wave([ended(name)])
    code = result.problem.code if result.problem else None
    print(json.dumps({"verified": result.verified, "code": code, "reason": result.reason}))  # noqa: T201 - the answer


main(*sys.argv[1:])
