"""Files on which podman and the planner once differed: tests/oracle asks podman itself about them too."""

from __future__ import annotations

from typing import Any

import pytest

from harbor_agent.planning.containers_image.effective import evaluate
from harbor_agent.planning.refusal import RefusedError
from tests.oracle.registries_conf import KEPT
from tests.unit.planning.containers_image.nodes import node

VERSIONS = ("4.3.1", "5.4.2")


@pytest.mark.parametrize("facts", KEPT, ids=[facts["about"] for facts in KEPT])
def test_files_mean_what_podman_made_of_them(facts: dict[str, Any]) -> None:
    for version in facts.get("podman", VERSIONS):
        state = node(facts["files"], version)
        if "tables" not in facts:
            with pytest.raises(RefusedError, match="line 1"):
                evaluate(state, "podman")
            continue
        tables = {one: located.table for one, located in evaluate(state, "podman").tables.items()}
        found = {one: [table.location, table.insecure, table.blocked] for one, table in tables.items()}
        assert found == facts["tables"]
