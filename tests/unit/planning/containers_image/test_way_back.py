"""What a plan adds to any files that podman takes, a removal takes out again: the same bytes as before."""

from __future__ import annotations

import pytest

from harbor_agent.model.plan import Refusal
from harbor_agent.planning.containers_image.effective import evaluate
from tests.oracle.registries_conf import HOSTS, generate_contents
from tests.unit.planning.containers_image.nodes import applied, node, shown
from tests.unit.planning.decisions import decide, planned, unwant, want


@pytest.mark.parametrize("seed", range(4))
def test_a_removal_gives_back_the_files_byte_for_byte(seed: int) -> None:
    tried = 0
    for contents in generate_contents(150, seed):
        state = node(contents)
        for host in HOSTS:
            decision = decide(state, want(host))
            if isinstance(decision, Refusal) or decision.is_empty:
                continue
            if (table := evaluate(state, "podman").tables.get(host)) and table.table.insecure:
                continue  # a request to remove the registry also removes the trust of others in it
            after = applied(state, decision)
            undone = decide(after, unwant(host))
            if isinstance(undone, Refusal):
                # one table twice: podman takes both only if they say the same
                assert "is in several tables" in undone.problem.message
                continue
            assert shown(applied(after, planned(after, unwant(host)))) == shown(state), (contents, host)
            tried += 1
    assert tried > 150
