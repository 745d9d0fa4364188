"""A rollout without a kubeconfig contacts no cluster and loads no Kubernetes client."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from harbor_agent.engine.rollout.context import RolloutContext
from harbor_agent.engine.rollout.hooks import NoHooks
from harbor_agent.engine.rollout.kubernetes_hooks import open_hooks
from harbor_agent.model.policy import Rollout
run = RolloutContext(run_id="r", transport=None, rollout=Rollout(), credentials={}, listener=print)
with open_hooks(run, [], kubeconfig=None, context=None) as hooks:
    assert isinstance(hooks, NoHooks)
loaded = [name for name in sys.modules if name.startswith(("lightkube", "harbor_agent.kubernetes"))]
assert not loaded, loaded
"""


def test_a_run_without_a_kubeconfig_loads_no_kubernetes_client() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
