"""Where no cluster is named, none is asked, and nothing of it is loaded."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from harbor_agent.engine.rollout.waves import Run
from harbor_agent.engine.rollout.hooks import NoCluster, surroundings_of
from harbor_agent.model.policy import Rollout
run = Run(run_id="r", transport=None, rollout=Rollout(), credentials={}, listener=print)
with surroundings_of(run, [], kubeconfig=None, context=None) as surroundings:
    assert isinstance(surroundings, NoCluster)
loaded = [name for name in sys.modules if name.startswith(("lightkube", "agent.cluster"))]
assert not loaded, loaded
"""


def test_a_run_without_a_kubeconfig_loads_nothing_of_the_cluster() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
