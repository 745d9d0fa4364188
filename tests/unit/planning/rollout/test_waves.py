"""Waves: everybody once, the canary first, control-plane nodes last and alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.model.inventory import Node
from harbor_agent.model.policy import Rollout
from harbor_agent.planning.rollout.waves import find_exceeded_budget, split_into_waves


def node(name: str, *groups: str) -> Node:
    return Node(name=name, address=name, groups=groups)


def test_canary_then_batches_then_control_plane() -> None:
    fleet = [node("m1", "kube_control_plane"), *(node(f"w{n}") for n in range(1, 6)), node("m2", "master")]
    names = [[n.name for n in wave] for wave in split_into_waves(fleet, Rollout(canary=1, batch=2))]
    assert names == [["w1"], ["w2", "w3"], ["w4", "w5"], ["m1"], ["m2"]]


def test_a_server_that_the_inventory_does_not_name_is_last_too() -> None:
    fleet = [node("s1"), node("w1"), node("m1", "master"), node("s2"), node("w2")]
    split = split_into_waves(fleet, Rollout(canary=1, batch=2), servers={"s1", "s2"})
    assert [[n.name for n in wave] for wave in split] == [["w1"], ["w2"], ["s1"], ["m1"], ["s2"]]


@given(
    workers=st.integers(0, 30),
    masters=st.integers(0, 4),
    canary=st.integers(0, 3),
    batch=st.one_of(st.integers(1, 9), st.integers(1, 100).map(lambda n: f"{n}%")),
)
def test_every_node_is_in_exactly_one_wave(workers: int, masters: int, canary: int, batch: int | str) -> None:
    fleet = [node(f"w{n}") for n in range(workers)] + [node(f"m{n}", "etcd") for n in range(masters)]
    split = split_into_waves(fleet, Rollout(canary=canary, batch=batch))
    assert sorted(n.name for wave in split for n in wave) == sorted(n.name for n in fleet)
    assert all(wave for wave in split)


@pytest.mark.parametrize(("failed", "unreachable", "halts"), [(0, 0, False), (1, 0, True), (0, 1, False), (0, 2, True)])
def test_budgets_are_apart(failed: int, unreachable: int, *, halts: bool) -> None:
    rollout = Rollout(max_failed=0, max_unreachable="10%")
    assert (find_exceeded_budget(rollout, 10, failed=failed, unreachable=unreachable) is not None) is halts


@pytest.mark.parametrize(
    ("unfit", "expected"),
    [
        ({"w1"}, [["w2"], ["w3", "w4"], ["w1"], ["m1"], ["m2"]]),
        ({"w1", "w2", "w3"}, [["w4"], ["w1", "w2"], ["w3"], ["m1"], ["m2"]]),
        ({"m1"}, [["w1"], ["w2", "w3"], ["w4"], ["m2"], ["m1"]]),
        ({"w1", "w2", "w3", "w4"}, [["w1"], ["w2", "w3"], ["w4"], ["m1"], ["m2"]]),
    ],
)
def test_a_sick_node_goes_first_only_where_all_are(unfit: set[str], expected: list[list[str]]) -> None:
    fleet = [*(node(f"w{n}") for n in range(1, 5)), node("m1", "master"), node("m2", "master")]
    assert [[n.name for n in wave] for wave in split_into_waves(fleet, Rollout(canary=1, batch=2), unfit)] == expected


def test_a_canary_of_several_has_no_sick_one_among_them() -> None:
    fleet = [node(f"w{n}") for n in range(1, 5)]
    split = split_into_waves(fleet, Rollout(canary=3, batch=4), {"w1", "w2"})
    assert [[n.name for n in wave] for wave in split] == [["w3", "w4"], ["w1", "w2"]]
