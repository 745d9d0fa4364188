"""The user of a schedule."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.request.request import NodeSelection
from harbor_agent.engine.schedule.request import ScheduleRequest, build_schedule
from harbor_agent.errors import UsageError
from harbor_agent.planning.schedule import Timing

if TYPE_CHECKING:
    from pathlib import Path


def test_a_calling_user_without_a_name_must_name_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = tmp_path / "hosts"
    inventory.write_text("node1\n")
    monkeypatch.setattr(os, "geteuid", lambda: 987_654_321)
    request = ScheduleRequest(selection=NodeSelection(sources=(str(inventory),)), timing=Timing(every="6h"))
    with pytest.raises(UsageError, match="no user '987654321'") as refused:
        build_schedule(request, lambda _: None)
    assert "--user" in refused.value.problem.hint


@pytest.mark.parametrize(
    "more",
    ["", ", resolve: {address: 192.168.0.99}", ", secret: {namespaces: [shop]}"],
    ids=["no part of the cluster", "a name for pods", "a pull secret"],
)
def test_the_kubeconfig_is_read_if_the_cluster_is_part_of_the_check(
    more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts").write_text("node1\n")
    settings = tmp_path / "harbor-agent.yaml"
    settings.write_text(f"registries:\n  - {{address: harbor.lan{more}}}\nkubeconfig: {tmp_path}/kubeconfig\n")
    selection = NodeSelection(sources=(str(tmp_path / "hosts"),))
    request = ScheduleRequest(selection=selection, config=str(settings), timing=Timing(every="6h"))
    ready = build_schedule(request, lambda _: None)
    assert (f"{tmp_path}/kubeconfig" in ready.readable) == bool(more)
