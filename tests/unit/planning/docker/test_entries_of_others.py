"""Entries that somebody else wrote: bad ones stop the plan and can be removed, capitals count."""

from __future__ import annotations

import pytest

from tests.unit.planning.docker.nodes import (
    DAEMON_JSON,
    DEBIAN_UNIT,
    FRAGMENT,
    HARBOR,
    OPTIONS,
    PLAIN_UNIT,
    node,
    running,
    unwant,
    want,
)
from tests.unit.planning.docker.plans import DEBIAN_ARGV, after, codes, plan, refusal

BAD = "reg.example.com/project"
IN_VARIABLE = {
    FRAGMENT: DEBIAN_UNIT,
    OPTIONS: f'[Service]\nEnvironment="DOCKER_OPTS=--insecure-registry={BAD} --log-opt max-size=50m"\n',
}
IN_CONFIG = {FRAGMENT: PLAIN_UNIT, DAEMON_JSON: f'{{\n  "insecure-registries": ["{BAD}"]\n}}\n'}
IN_UNIT = {FRAGMENT: PLAIN_UNIT.replace("containerd.sock", f"containerd.sock --insecure-registry {BAD}")}
MIXED_CASE = {FRAGMENT: PLAIN_UNIT, DAEMON_JSON: '{"insecure-registries": ["Harbor.LAN:5000"]}'}


@pytest.mark.field("02")
@pytest.mark.parametrize("version", ["20.10.24", "26.1.5"])
@pytest.mark.parametrize(
    ("contents", "place"),
    [(IN_VARIABLE, f"{OPTIONS} line 2"), (IN_CONFIG, f"{DAEMON_JSON} line 2"), (IN_UNIT, f"{FRAGMENT} line 6")],
)
def test_a_bad_entry_of_somebody_else_refuses_the_node(contents: dict[str, str], place: str, version: str) -> None:
    problem = refusal(node(contents, version)).problem
    assert problem.code == "entry-invalid"
    assert place in problem.message
    assert f"'{BAD}'" in problem.message


@pytest.mark.field("02")
def test_a_latent_bad_entry_refuses_a_running_node() -> None:
    assert refusal(running(node(IN_VARIABLE), DEBIAN_ARGV)).problem.code == "entry-invalid"
    assert refusal(running(node(IN_CONFIG), DEBIAN_ARGV)).problem.code == "entry-invalid"


@pytest.mark.field("02")
@pytest.mark.parametrize("contents", [IN_VARIABLE, IN_CONFIG])
def test_a_bad_entry_can_be_removed(contents: dict[str, str]) -> None:
    decision = plan(node(contents), unwant(BAD))
    [path] = [change.path for change in decision.changes]
    assert BAD not in (after(decision, path) or "")
    assert decision.activation.unexpected == ()


def test_the_removal_says_that_a_rollback_would_not_start_dockerd() -> None:
    decision = plan(running(node(IN_VARIABLE), DEBIAN_ARGV), unwant(BAD))
    assert "entry-invalid" in codes(decision)
    assert any("rolling back does not start dockerd again" in warning.message for warning in decision.warnings)


def test_a_node_that_needs_no_change_is_warned_of_a_bad_entry() -> None:
    contents = {FRAGMENT: PLAIN_UNIT, DAEMON_JSON: f'{{"insecure-registries": ["{HARBOR}", "{BAD}"]}}'}
    decision = plan(node(contents))
    assert decision.is_empty
    assert codes(decision) == ["entry-invalid"]


@pytest.mark.field("01")
def test_ipv6_without_a_port_is_refused_where_dockerd_dies_of_it() -> None:
    problem = refusal(node({FRAGMENT: PLAIN_UNIT}), want("[fd00::99]")).problem
    assert problem.code == "entry-invalid"
    assert "needs a port" in problem.message
    assert after(plan(node({FRAGMENT: PLAIN_UNIT}, "26.1.5"), want("[fd00::99]")), DAEMON_JSON)


def test_a_password_in_a_bad_entry_is_not_shown() -> None:
    contents = {FRAGMENT: PLAIN_UNIT, DAEMON_JSON: '{"insecure-registries": ["admin:hunter2@reg.lan"]}'}
    assert "hunter2" not in str(refusal(node(contents)).problem)


@pytest.mark.field("09")
def test_capitals_are_compared_as_they_are_written() -> None:
    assert plan(node(MIXED_CASE), want("Harbor.LAN:5000")).is_empty
    added = plan(node(MIXED_CASE), want("harbor.lan:5000"))
    assert '"Harbor.LAN:5000", "harbor.lan:5000"' in (after(added, DAEMON_JSON) or "")
    assert codes(added) == ["entry-does-not-match"]


@pytest.mark.field("09")
def test_a_new_entry_keeps_its_capitals() -> None:
    decision = plan(node({FRAGMENT: PLAIN_UNIT}), want("Harbor.LAN:5000"))
    assert '"Harbor.LAN:5000"' in (after(decision, DAEMON_JSON) or "")
    assert decision.activation.expected == ("Harbor.LAN:5000",)


@pytest.mark.field("09")
def test_a_removal_takes_out_only_the_spelling_that_is_named() -> None:
    removed = plan(node(MIXED_CASE), unwant("Harbor.LAN:5000"))
    assert "Harbor" not in (after(removed, DAEMON_JSON) or "")
    kept = plan(node(MIXED_CASE), unwant("harbor.lan:5000"))
    assert kept.is_empty
    assert codes(kept) == ["entry-does-not-match"]
