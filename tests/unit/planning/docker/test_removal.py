"""Taking entries out: just those that are named, and what stays is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.plan import Action
from harbor_agent.model.state import FileKind, Record
from tests.unit.planning.docker.nodes import (
    DAEMON_JSON,
    DEBIAN_UNIT,
    FRAGMENT,
    HARBOR,
    OPTIONS,
    PLAIN_UNIT,
    applied,
    node,
    running,
    unwant,
    want,
    with_record,
)
from tests.unit.planning.docker.plans import DEBIAN_ARGV, FLAG, after, codes, plan

if TYPE_CHECKING:
    from collections.abc import Mapping


def test_the_last_entry_leaves_an_empty_list_for_the_reload_to_revoke() -> None:
    state = applied(
        running(node({FRAGMENT: PLAIN_UNIT}), DEBIAN_ARGV), plan(running(node({FRAGMENT: PLAIN_UNIT}), DEBIAN_ARGV))
    )
    decision = plan(state, unwant(HARBOR))
    assert after(decision, DAEMON_JSON) == '{\n  "insecure-registries": []\n}\n'
    assert (decision.activation.action, decision.activation.unexpected) == (Action.RELOAD, (HARBOR,))
    assert decision.owned_entries == ()
    assert plan(applied(state, decision), unwant(HARBOR)).is_empty


def test_a_file_that_came_with_the_entry_goes_with_it() -> None:
    before = running(node({FRAGMENT: DEBIAN_UNIT}), DEBIAN_ARGV)
    decision = plan(applied(before, plan(before)), unwant(HARBOR))
    (change,) = decision.changes
    assert change.after.kind is FileKind.ABSENT
    assert (decision.activation.action, decision.created_files) == (Action.RESTART, ())
    assert decision.activation.arguments == DEBIAN_ARGV


def test_a_file_of_somebody_else_stays_though_empty() -> None:
    state = node({FRAGMENT: DEBIAN_UNIT, OPTIONS: f'[Service]\nEnvironment="DOCKER_OPTS={FLAG}"\n'})
    decision = plan(running(state, (*DEBIAN_ARGV, FLAG), (HARBOR,)), unwant(HARBOR))
    assert after(decision, OPTIONS) == '[Service]\nEnvironment="DOCKER_OPTS="\n'


def test_only_what_is_named_goes() -> None:
    value = "--insecure-registry=a --mtu=1 --insecure-registry b --insecure-registry=c"
    text = f'[Service]\nEnvironment="DOCKER_OPTS={value}"\n'
    decision = plan(node({FRAGMENT: DEBIAN_UNIT, OPTIONS: text}), unwant("a", "b"))
    assert after(decision, OPTIONS) == '[Service]\nEnvironment="DOCKER_OPTS=--mtu=1 --insecure-registry=c"\n'


def test_one_goes_and_one_comes_in_one_plan() -> None:
    state = node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: '{"insecure-registries": ["a"]}'})
    wanted = replace(want("b"), absent=unwant("a").absent)
    decision = plan(running(state, DEBIAN_ARGV, ("a",)), wanted)
    assert after(decision, DAEMON_JSON) == '{"insecure-registries": ["b"]}'
    assert (decision.activation.expected, decision.activation.unexpected) == (("b",), ("a",))


def test_nothing_to_take_out_is_unchanged() -> None:
    decision = plan(running(node({FRAGMENT: PLAIN_UNIT}), DEBIAN_ARGV), unwant("a"))
    assert decision.is_empty
    assert "a is not trusted" in decision.reason


RANGE = "--insecure-registry=192.168.0.0/16"


@pytest.mark.parametrize(
    ("contents", "place"),
    [
        (
            {FRAGMENT: PLAIN_UNIT, DAEMON_JSON: f'{{"insecure-registries": [\n"{HARBOR}",\n"192.168.0.0/16"]}}'},
            f"{DAEMON_JSON} line 3",
        ),
        (
            {FRAGMENT: DEBIAN_UNIT, OPTIONS: f'[Service]\nEnvironment="DOCKER_OPTS={FLAG} \\\n  {RANGE}"\n'},
            f"DOCKER_OPTS in {OPTIONS} line 3",
        ),
        (
            {FRAGMENT: DEBIAN_UNIT, "/etc/default/docker": f"# ours\nDOCKER_OPTS={RANGE}\n"},
            "DOCKER_OPTS in /etc/default/docker line 2",
        ),
        (
            {FRAGMENT: PLAIN_UNIT + f"ExecStart=\nExecStart=/usr/bin/dockerd {RANGE}\n"},
            f"ExecStart= in {FRAGMENT} line {PLAIN_UNIT.count(chr(10)) + 2}",
        ),
        (
            {FRAGMENT: PLAIN_UNIT + f"Environment=N=16\nExecStart=\nExecStart=/usr/bin/dockerd {RANGE[:-2]}${{N}}\n"},
            f"ExecStart= in {FRAGMENT} line {PLAIN_UNIT.count(chr(10)) + 3}",
        ),
    ],
)
def test_what_stays_trusted_through_a_range_is_told_with_its_file_and_line(
    contents: Mapping[str, str], place: str
) -> None:
    """The tool takes single registries only, so a person has to find it."""
    told = {warning.code: warning for warning in plan(node(contents), unwant(HARBOR)).warnings}
    assert "192.168.0.0/16" in told["still-covered"].message
    assert told["still-covered"].hint.endswith(f": {place}")


def test_what_dockerd_trusts_by_itself_is_not_to_be_looked_for() -> None:
    decision = plan(node({FRAGMENT: PLAIN_UNIT}), unwant("127.0.0.1:5000"))
    assert [warning.hint for warning in decision.warnings] == ["dockerd always trusts it; this cannot be changed"]


def test_ours_and_no_longer_asked_for_is_told_and_left() -> None:
    state = node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: '{"insecure-registries": ["old.lan"]}'})
    decision = plan(with_record(state, Record(entries=("old.lan",))))
    assert "ours-no-longer-wanted" in codes(decision)
    assert decision.owned_entries == ("old.lan", HARBOR)
    assert '"old.lan"' in str(after(decision, DAEMON_JSON))
