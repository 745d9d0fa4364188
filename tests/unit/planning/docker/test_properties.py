"""What holds of every plan, on node states that nobody thought of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from harbor_agent.model.plan import Plan
from harbor_agent.model.policy import RouteChoice
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.docker.in_effect import list_foreign_arguments
from harbor_agent.planning.node import plan_node
from tests.unit.planning.docker.nodes import (
    DAEMON_JSON,
    DEBIAN_UNIT,
    DROP_INS,
    FRAGMENT,
    HARBOR,
    OPTIONS,
    PLAIN_UNIT,
    TEMPLATES,
    applied,
    node,
    shown,
    unwant,
    want,
)

if TYPE_CHECKING:
    from harbor_agent.model.plan import Refusal
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.docker.effective import Effective

UNITS = st.sampled_from(
    [
        DEBIAN_UNIT,
        PLAIN_UNIT,
        "[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/bin/dockerd $OPTIONS \\\n  $INSECURE_REGISTRY\n",
        "[Service]\nExecStart=/bin/dockerd ${DOCKER_OPTS} --insecure-registry=u.lan\n",
        "[Service]\nEnvironment=DOCKER_OPTS=--mtu=1400\nExecStart=/usr/bin/docker daemon $DOCKER_OPTS\n",
    ]
)
VALUES = st.lists(
    st.sampled_from(
        ["--mtu=1400", "--insecure-registry=a.lan", "--insecure-registry b.lan:5000", "--label x=%H", "-D",
         "--insecure-registry=10.0.0.0/8", "--log-opt max-size=5m", "\\\n", "\\\n# note\n", "\\\r\n"]
    ),
    max_size=6,
).map(" ".join)  # fmt: skip
NAMES = st.sampled_from(["DOCKER_OPTS", "OPTIONS", "INSECURE_REGISTRY", "OTHER"])
QUOTES = st.sampled_from(['"', "'"])
DROP_IN = st.builds(lambda name, value: f'[Service]\nEnvironment="{name}={value}"\n', NAMES, VALUES)
ENVIRONMENT = st.builds(lambda name, quote, value: f"# c\n{name}={quote}{value}{quote}\n", NAMES, QUOTES, VALUES)
CONFIG = st.sampled_from(
    [
        "{}",
        "",
        "{",
        '{"insecure-registries": []}',
        '{"insecure-registries":["c.lan"],"debug":true}',
        '{\n  "debug": true\n}\n',
        '{"log-opts": {"max-size": "1m"}}',
        '{"insecure-registries": 1}',
        '{"insecure-registry": ["x"]}',
    ]
)
NODES = st.fixed_dictionaries(
    {FRAGMENT: UNITS},
    optional={
        OPTIONS: DROP_IN,
        f"{DROP_INS}/zz.conf": DROP_IN,
        "/etc/default/docker": ENVIRONMENT,
        DAEMON_JSON: CONFIG,
    },
).map(node)
JUNK = st.binary(max_size=80) | st.text(alphabet="[]Service=\n\r\\\"' $DOCKER_OPTS{}:-#;%,", max_size=80).map(
    str.encode
)


def decide(state: NodeState, *, repair: bool = False, route: RouteChoice = RouteChoice.AUTO) -> Plan | Refusal:
    return plan_node("node-1", state, want(HARBOR, repair=repair, route=route), TEMPLATES)


def keys_of(effective: Effective) -> set[str]:
    return set(effective.config.keys) if effective.config else set()


@settings(max_examples=150, deadline=None)
@given(NODES, st.booleans(), st.sampled_from(RouteChoice))
def test_the_plan_of_an_applied_plan_is_empty(state: NodeState, repair: bool, route: RouteChoice) -> None:  # noqa: FBT001
    decision = decide(state, repair=repair, route=route)
    if isinstance(decision, Plan):
        after = applied(state, decision)
        again = decide(after, route=route)
        assert isinstance(again, Plan), again.problem
        assert again.is_empty
        assert HARBOR in evaluate(after).entries


@settings(max_examples=150, deadline=None)
@given(NODES, st.sampled_from(RouteChoice))
def test_what_is_not_ours_stays_and_comes_back_to_the_byte(state: NodeState, route: RouteChoice) -> None:
    decision = decide(state, route=route)
    if not isinstance(decision, Plan) or not decision.changes:
        return
    before, after = evaluate(state), evaluate(applied(state, decision))
    assert list_foreign_arguments(after) == list_foreign_arguments(before)
    assert [entry for entry in after.entries if entry != HARBOR] == list(before.entries)
    undo = plan_node("node-1", applied(state, decision), unwant(HARBOR), TEMPLATES)
    assert isinstance(undo, Plan), undo.problem
    back = applied(applied(state, decision), undo)
    assert evaluate(back).argv == before.argv
    assert evaluate(back).entries == before.entries
    if state.files.get(DAEMON_JSON) is None or state.files[DAEMON_JSON].content:
        assert shown(back.files) == shown(state.files)


@settings(max_examples=150, deadline=None)
@given(NODES)
def test_without_consent_nothing_dead_comes_to_life_and_nothing_alive_dies(state: NodeState) -> None:
    decision = decide(state)
    if isinstance(decision, Plan):
        before, after = evaluate(state), evaluate(applied(state, decision))
        assert set(after.entries) - {HARBOR} == set(before.entries) - {HARBOR}


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries(
        {FRAGMENT: UNITS.map(str.encode) | JUNK},
        optional={OPTIONS: JUNK, "/etc/default/docker": JUNK, DAEMON_JSON: JUNK},
    ),
    st.booleans(),
    st.sampled_from(RouteChoice),
)
def test_any_bytes_are_planned_or_refused(contents: dict[str, bytes], repair: bool, route: RouteChoice) -> None:  # noqa: FBT001
    before = node(contents)
    decision = decide(before, repair=repair, route=route)
    if isinstance(decision, Plan):
        after = evaluate(applied(before, decision))
        assert HARBOR in after.entries
        assert keys_of(evaluate(before)) <= keys_of(after)
    else:
        assert decision.problem.code
