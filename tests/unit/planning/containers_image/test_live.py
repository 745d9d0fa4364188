"""Nodes on which podman or CRI-O was asked: what they have read counts beside the files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.daemon import UnitState
from harbor_agent.model.kubelet import Kubelet
from harbor_agent.model.plan import Plan
from harbor_agent.model.runtimes.containers_image import ContainersImageState
from harbor_agent.planning.containers_image.runtime import crio, podman
from harbor_agent.planning.node import find_runtime, plan_node
from tests.unit.planning.containers_image.nodes import FOLDER, MAIN, OURS, OWN, applied, crio_node, node
from tests.unit.planning.decisions import HARBOR, planned, refused, unwant, want

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

TRUSTING = {OWN: OURS.decode()}


def asked(state: NodeState, **facts: object) -> NodeState:
    """The node as a probe reports it: a running CRI-O, or a podman that was asked."""
    runtime = state.runtimes[0]
    assert isinstance(runtime, ContainersImageState)
    if runtime.unit:
        unit = UnitState(name="crio.service", load_state="loaded", active_state="active", unit_file_state="enabled")
        facts = {"unit": unit, "argv": ("/usr/bin/crio",), **facts}
    return replace(state, offline=False, runtimes=(replace(runtime, **facts),))  # type: ignore[arg-type]


def test_podman_that_reads_what_the_files_say_is_planned() -> None:
    assert [one.path for one in planned(asked(node({}), registries={})).changes] == [OWN]
    assert planned(asked(node(TRUSTING), registries={HARBOR: True})).is_empty


def test_podman_that_reads_something_else_is_refused() -> None:
    problem = refused(asked(node(TRUSTING), registries={HARBOR: False})).problem
    assert (problem.code, HARBOR in problem.message) == ("settings-unclear", True)


def test_podman_that_rejects_a_file_is_refused_with_its_words() -> None:
    problem = refused(asked(node({}), error="loading registries configuration: no password=canary here")).problem
    assert (problem.code, "loading registries" in problem.message) == ("file-invalid", True)
    assert "canary" not in problem.message


def test_crio_that_has_not_read_its_files_is_reloaded() -> None:
    for facts in ({"registries": {}}, {"registries": {HARBOR: False}}):
        plan = planned(asked(crio_node(TRUSTING), **facts))
        assert (plan.activation.action.value, plan.changes) == ("reload", ())
    plan = planned(asked(crio_node({}), registries={HARBOR: True}), unwant(HARBOR))
    assert (plan.activation.action.value, plan.changes) == ("reload", ())


def test_crio_that_watches_its_drop_ins_is_reloaded_for_what_it_has_missed() -> None:
    watching = {"/etc/crio/crio.conf": "[crio.image]\nauto_reload_registries = true\n", f"{FOLDER}/x.conf": ""}
    state = crio_node({**watching, **TRUSTING})
    assert planned(asked(state, registries={})).activation.action.value == "reload"
    state = crio_node(watching)
    assert planned(asked(state, changed_files=())).activation.action.value == "none"
    started_without = asked(state, changed_files=("/etc/crio/crio.conf",))
    assert planned(started_without).activation.action.value == "reload"


@pytest.mark.parametrize("changed", [(), ("/etc/containers/policy.json",), None])
def test_crio_that_was_never_reloaded_is_left_alone(changed: tuple[str, ...] | None) -> None:
    assert planned(asked(crio_node(TRUSTING), changed_files=changed)).is_empty


def test_what_crio_runs_with_is_its_journal_or_the_files_of_its_start() -> None:
    state = crio_node(TRUSTING)
    for facts, entries in (
        ({"registries": {"a.lan": True, "b.lan": False}}, ("a.lan",)),
        ({"changed_files": ()}, (HARBOR,)),
        ({"changed_files": (f"{FOLDER}/x.conf",)}, None),
        ({"changed_files": (MAIN,)}, None),
        ({}, None),
    ):
        assert crio.describe_process(asked(state, **facts)).entries == entries


def test_registry_below_a_wider_table_is_in_effect_for_drift_too() -> None:
    wide = '[[registry]]\nlocation = "harbor.lan"\ninsecure = true\n'
    state = asked(node({MAIN: wide}), registries={"harbor.lan": True})
    after = applied(state, planned(state, want("harbor.lan:5000")))
    record = replace(after.records["podman"], expected_entries=("harbor.lan:5000",))
    after = replace(after, records={"podman": record})
    assert "harbor.lan:5000" in podman.evaluate_files(after).entries
    assert "harbor.lan:5000" in (podman.describe_process(after).entries or ())


def test_stopped_and_masked_crio_are_refused() -> None:
    unit = UnitState(name="crio.service", load_state="loaded", active_state="failed")
    state = asked(crio_node({}), unit=unit, argv=None)
    assert refused(state).problem.code == "runtime-not-running"
    assert planned(asked(crio_node(TRUSTING), unit=unit, argv=None)).is_empty
    masked = asked(crio_node({}), unit=replace(unit, load_state="masked"))
    assert refused(masked).problem.code == "unit-masked"


def test_files_of_users_are_named() -> None:
    files = {"/home/ops/.config/containers/registries.conf": "", "/root/.config/containers/registries.conf": ""}
    words = [warning.message for warning in planned(node(files)).warnings if warning.code == "podman-own-files"]
    assert [path in text for path, text in zip(sorted(files, reverse=True), words, strict=True)] == [True, True]


def test_podman_is_planned_only_without_a_kubelet() -> None:
    state = asked(node({}), registries={})
    assert find_runtime(state).NAME == "podman"
    assert isinstance(plan_node("n", state, want(HARBOR), {}), Plan)
    kubelet = Kubelet(argv=("/usr/bin/kubelet", "--container-runtime-endpoint=unix:///run/crio/crio.sock"))
    assert find_runtime(replace(state, kubelet=kubelet)).NAME != "podman"
    both = replace(state, kubelet=kubelet, runtimes=(*asked(crio_node({})).runtimes, *state.runtimes))
    assert find_runtime(both).NAME == "cri-o"
