"""Files of registries.conf mean to the planner what they mean to a real podman, also those that it has edited.

HARBOR_AGENT_ORACLE_CASES is how many sets of files are made, half of them for each podman, HARBOR_AGENT_ORACLE_SEED
which ones. Those of kept_registries.yaml are compared too.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from harbor_agent.model.plan import Refusal
from harbor_agent.planning.containers_image.effective import evaluate, find_table, is_trusted_by_table
from harbor_agent.planning.refusal import RefusedError
from tests.oracle.podman import ask_podman
from tests.oracle.registries_conf import KEPT, NAMED_HOSTS, generate_contents
from tests.unit.planning.containers_image.nodes import applied, node, shown
from tests.unit.planning.decisions import decide, want

if TYPE_CHECKING:
    from pathlib import Path

    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containers_image.effective import Effective
    from tests.oracle.podman import Answer

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(7200)]

VERSIONS = {"bookworm": "4.3.1", "trixie": "5.4.2"}
COUNT = int(os.environ.get("HARBOR_AGENT_ORACLE_CASES", "100")) // len(VERSIONS)
SEED = int(os.environ.get("HARBOR_AGENT_ORACLE_SEED", "1"))

Tables = dict[str, tuple[Any, ...]]


@pytest.mark.parametrize("suite", VERSIONS)
def test_podman_and_the_planner_agree(suite: str, tmp_path: Path) -> None:
    """Of each set of files that podman takes, also of those with one more registry, which differ in nothing else."""
    cases: list[tuple[NodeState, str]] = []
    kept = [facts["files"] for facts in KEPT]
    for number, contents in enumerate([*kept, *generate_contents(COUNT, f"{suite} {SEED}")]):
        state, host = node(contents, VERSIONS[suite]), NAMED_HOSTS[number % len(NAMED_HOSTS)]
        cases.append((state, ""))
        decision = decide(state, want(host))
        if not isinstance(decision, Refusal) and not decision.is_empty:
            cases.append((applied(state, decision), host))
    images = [name_image(host) for host in NAMED_HOSTS]
    asked = [({path: content or b"" for path, content in shown(state).items()}, images) for state, _ in cases]
    answers = ask_podman(suite, asked, tmp_path)
    before: Tables = {}
    for (state, host), answer in zip(cases, answers, strict=True):
        effective, files = read_as_ours(state), shown(state)
        assert (effective is None) == bool(answer.error), f"{files}: {answer.error or 'accepted'}"
        if effective is None:
            continue
        now = list_registries(answer)
        assert list_tables(effective) == now, files
        for one, words in zip(NAMED_HOSTS, answer.pulls.values(), strict=True):
            expected = predict(effective, one)
            assert not expected or read_try(words, one) == expected, (files, words)
        if host:
            assert is_trusted_by_table(effective, host), files
            assert without(now, host) == without(before, host), files
        before = now
    assert sum(not answer.error for answer in answers) > COUNT // 2
    assert sum(bool(host) for _, host in cases) > COUNT // 4


def read_as_ours(state: NodeState) -> Effective | None:
    try:
        return evaluate(state, "podman")
    except RefusedError:
        return None


def list_tables(effective: Effective) -> Tables:
    tables = [located.table for located in effective.tables.values()]
    return {one.prefix: (one.location, one.insecure, one.blocked, bool(one.others)) for one in tables}


def list_registries(answer: Answer) -> Tables:
    return {
        prefix: (one["Location"], one["Insecure"], one["Blocked"], bool(one["Mirrors"]))
        for prefix, one in answer.registries.items()
    }


def without(tables: Tables, host: str) -> Tables:
    return {prefix: table for prefix, table in tables.items() if not f"{prefix}/".startswith(f"{host}/")}


def name_image(host: str) -> str:
    return f"{host}/harbor-agent/none:none"


def predict(effective: Effective, host: str) -> str:
    """By which address podman tries an image that cannot exist, as the planner has it.

    "" if images come from another place: the planner leaves such a registry alone.
    """
    located = find_table(effective, name_image(host).removesuffix(":none"))
    if located is None:
        return f"https://{host}"
    table = located.table
    if table.redirects or (table.others and table.prefix != host):
        return ""
    if table.blocked:
        return "blocked"
    return f"{'http' if table.insecure else 'https'}://{host}"


def read_try(words: str, host: str) -> str:
    """By which address podman tried it, as its words say; the registry is tried after its mirrors."""
    own = words.rpartition("]): ")[2]
    if "is blocked in" in own:
        return "blocked"
    found = re.findall(r'Get "(https?://[^/]+)/v2/', own)
    return found[-1] if found else f"{host}: {words}"
