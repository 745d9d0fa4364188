"""Whatever the files hold: a plan that is right, or a refusal that names the file; never a crash, never for long."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harbor_agent.formats.docker.daemon_json import parse_daemon_json
from harbor_agent.formats.systemd.environment_file import parse_environment_file
from harbor_agent.formats.systemd.unit import parse_unit
from harbor_agent.formats.text import FormatError
from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.model.policy import RouteChoice
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.files.workspace import LARGEST_FILE
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
    regular,
    running,
    stopped,
    symlink,
    unwant,
    want,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.model.state import NodeState

ENVIRONMENT = "/etc/default/docker"
WHOLE = {
    FRAGMENT: DEBIAN_UNIT,
    OPTIONS: '[Service]\nEnvironment="DOCKER_OPTS=--mtu=1400 \\\n--insecure-registry=a.lan"\n',
    f"{DROP_INS}/zz.conf": "[Service]\nEnvironment=A=1\n",
    ENVIRONMENT: "# docker\nDOCKER_OPTS='--mtu=1400 --insecure-registry b.lan'\n",
    DAEMON_JSON: '{\n  "log-opts": {"max-size": "1m"},\n  "debug": true\n}\n',
}
PARSERS = (parse_unit, parse_environment_file, parse_daemon_json)
TOKENS = [
    b"[Service]\n", b"Environment=", b"ExecStart=", b"EnvironmentFile=-", b'"', b"'", b"\\\n", b"\\ \n", b"\\", b"\r\n",
    b"\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"DOCKER_OPTS=", b"$DOCKER_OPTS", b"${", b"}", b"{", b"[", b"]", b",", b":",
    b"%", b"--insecure-registry", b"--insecure-registry=", b"192.168.0.99", b"http://", b"insecure-registries", b"--",
    b"-", b";", b"#", b"\\u0000", b"\\ud800", b"1e999", b"null", b"=", b" ", b"\t",
    b"--config-file=/etc/default/docker", b"/16",
]  # fmt: skip
JUNK = st.binary(max_size=40) | st.lists(st.sampled_from(TOKENS), max_size=12).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn) -> NodeState:
    """Give a node like many, with junk in place of a part of a file or two."""
    contents: dict[str, bytes | str] = dict(WHOLE)
    for path in draw(st.sets(st.sampled_from(sorted(WHOLE)), min_size=1, max_size=2)):
        whole = WHOLE[path].encode()
        start = draw(st.integers(0, len(whole)))
        contents[path] = whole[:start] + draw(JUNK) + whole[draw(st.integers(start, len(whole))) :]
    for path in draw(st.sets(st.sampled_from(sorted(set(WHOLE) - {FRAGMENT})), max_size=3)):
        del contents[path]
    state = node(contents, draw(st.sampled_from(["20.10.24", "1.11.2", "26.1.0", "", "junk"])))
    for path in draw(st.sets(st.sampled_from(sorted(WHOLE)), max_size=1)):
        kind = draw(st.sampled_from([FileKind.DIRECTORY, FileKind.OTHER, FileKind.UNREADABLE, FileKind.TOO_LARGE]))
        other = draw(st.sampled_from([FileState(path=path, kind=kind), symlink(path, "../../../../etc/shadow")]))
        state = replace(state, files={**state.files, path: other})
    argv = ("/usr/sbin/dockerd", "-H", "fd://")
    return draw(st.sampled_from([state, stopped(state), running(state, argv), running(state, ())]))


def is_told(refusal: Refusal) -> bool:
    """Whether the refusal names a file, and the line of its text; a route or a daemon is no file."""
    if refusal.problem.code in (
        "route-ineffective",
        "route-fatal",
        "removal-unclear",
        "arguments-would-change",
        "docker-not-running",
    ):
        return True
    message = refusal.problem.message
    return "/" in message and (refusal.problem.code != "file-invalid" or " line " in message)


@settings(max_examples=400, deadline=None)
@given(damaged(), st.booleans(), st.sampled_from(RouteChoice))
def test_a_damaged_node_is_planned_right_or_refused_by_file(
    state: NodeState,
    repair: bool,  # noqa: FBT001
    route: RouteChoice,
) -> None:
    decision = plan_node("node-1", state, want(HARBOR, repair=repair, route=route), TEMPLATES)
    if isinstance(decision, Plan):
        assert HARBOR in evaluate(applied(state, decision)).entries
        assert all(
            change.before == (state.files.get(change.path) or FileState(path=change.path))
            for change in decision.changes
        )
    else:
        assert is_told(decision), decision.problem
    removed = plan_node("node-1", state, unwant("a.lan", "b.lan", HARBOR), TEMPLATES)
    if isinstance(removed, Plan):
        assert not {"a.lan", "b.lan", HARBOR} & set(evaluate(applied(state, removed)).entries)
    else:
        assert is_told(removed) or removed.problem.code in ("removal-unclear", "arguments-would-change"), (
            removed.problem
        )


@pytest.mark.parametrize("parse", PARSERS)
@settings(max_examples=300, deadline=None)
@given(content=JUNK)
def test_a_parser_reads_any_bytes_or_names_a_line(parse: Callable[[bytes], object], content: bytes) -> None:
    try:
        parse(content)
    except FormatError as error:
        found = error
    else:
        return
    assert 1 <= found.line <= content.count(b"\n") + content.count(b"\r") + 1
    assert found.reason


def filled(head: str, unit: str, tail: str = "") -> str:
    return head + unit * ((LARGEST_FILE - len(head) - len(tail) - 100) // len(unit)) + tail


HUGE = {
    FRAGMENT: [
        filled("[Service]\nEnvironment=A=", "\\\n"),
        filled("[Service]\n", "a\n"),
        filled("", '[Service]\nEnvironment="A\n'),
        filled("[Service]\nExecStart=/d ", "$A "),
        filled("[Service]\nExecStart=/d ", "; a "),
        filled("[Service]\nExecStart=/d ", "${"),
        filled("[Service]\nExecStart=/d ", "--insecure-registry=1.2.0.0/16 "),
        filled(f'{DEBIAN_UNIT}Environment="DOCKER_OPTS=', "a \\ \n"),
        filled(f'{DEBIAN_UNIT}Environment="DOCKER_OPTS=', "--insecure-registry=a \\\n", '"\n'),
        filled(f"{DEBIAN_UNIT}UnsetEnvironment=", "A "),
        filled("", "\r"),
        filled("", "[a]\n"),
    ],
    ENVIRONMENT: [
        filled("", "A=1\n"),
        filled("", "1=\n"),
        filled("DOCKER_OPTS=", "$DOCKER_OPTS "),
        filled('DOCKER_OPTS="', f"--insecure-registry={HARBOR} ", '"\n'),
        filled("", "'\""),
        filled("A=", " "),
    ],
    DAEMON_JSON: [
        filled("", "["),
        filled("", '{"a":'),
        filled("{", '"insecure-registries":[],', '"a":1}'),
        filled('{"insecure-registries":[', f'"{HARBOR}",', '"b"]}'),
        filled('{"insecure-registries":[', '"10.0.0.0/8",', '"b"]}'),
        filled('{"insecure-registries":[', "1,", '"b"]}'),
        filled('{"a":"', "\\\\", '"}'),
    ],
}


@pytest.mark.timeout(180)  # a loop within a loop takes an hour
@pytest.mark.parametrize(("path", "text"), [(path, text) for path, texts in HUGE.items() for text in texts])
def test_the_largest_file_takes_no_time(path: str, text: str) -> None:
    contents = {FRAGMENT: PLAIN_UNIT if path == DAEMON_JSON else DEBIAN_UNIT, path: text}
    state = node(contents)
    for wanted in (want(HARBOR), want(HARBOR, repair=True), unwant(HARBOR, "a")):
        decision = plan_node("node-1", state, wanted, TEMPLATES)
        assert len(decision.warnings) < 100


@pytest.mark.parametrize("path", sorted(WHOLE))
def test_a_file_of_ten_megabytes_is_refused_by_name(path: str) -> None:
    refusal = plan_node("node-1", node({**WHOLE, path: b"#" * 10_000_000}), want(HARBOR), TEMPLATES)
    assert isinstance(refusal, Refusal)
    assert refusal.problem.code == "file-too-large"
    assert path in refusal.problem.message


@pytest.mark.parametrize("path", [FRAGMENT, OPTIONS, DAEMON_JSON])
def test_a_link_to_elsewhere_is_never_written_through(path: str) -> None:
    state = node({**WHOLE, ENVIRONMENT: ""})
    content = state.files[path].content
    linked = replace(state, files={**state.files, path: symlink(path, "/srv/shared", content)})
    decision = plan_node("node-1", linked, want(HARBOR), TEMPLATES)
    if isinstance(decision, Plan):
        assert path not in {change.path for change in decision.changes}
    else:
        assert path in decision.problem.message


def test_a_directory_in_place_of_the_configuration_is_refused_by_name() -> None:
    state = node({FRAGMENT: PLAIN_UNIT})
    state = replace(state, files={**state.files, DAEMON_JSON: FileState(path=DAEMON_JSON, kind=FileKind.DIRECTORY)})
    refusal = plan_node("node-1", state, want(HARBOR), TEMPLATES)
    assert isinstance(refusal, Refusal)
    assert DAEMON_JSON in refusal.problem.message


@pytest.mark.parametrize("line_end", ["\r\n", "\r", "\n"])
def test_the_last_line_may_end_or_not(line_end: str) -> None:
    for end in (line_end, ""):
        state = node({FRAGMENT: DEBIAN_UNIT, ENVIRONMENT: f"A=1{line_end}DOCKER_OPTS=--mtu=1400{end}"})
        plan = plan_node("node-1", state, want(HARBOR), TEMPLATES)
        assert isinstance(plan, Plan)
        assert plan.activation.arguments[-2:] == ("--mtu=1400", f"--insecure-registry={HARBOR}")
        text = regular(ENVIRONMENT, applied(state, plan).files[ENVIRONMENT].content or b"").content
        assert text == f"A=1{line_end}DOCKER_OPTS=--mtu=1400 --insecure-registry={HARBOR}{end}".encode()
