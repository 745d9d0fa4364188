"""What the planner expects of units that nobody thought of is what the systemd of booted nodes does with them.

HARBOR_AGENT_ORACLE_CASES is how many are made for each generation of systemd, HARBOR_AGENT_ORACLE_SEED which ones.
What fails is cut down to the least that still fails, and printed in the form in which `kept.yaml` keeps it.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.lab.nodes import Lab
from tests.oracle.case import disagreement
from tests.oracle.generate import generated
from tests.oracle.kept import KEPT, as_kept
from tests.oracle.systemd import Systemd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.oracle.case import Case

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(3600)]

COUNT = int(os.environ.get("HARBOR_AGENT_ORACLE_CASES", "300"))
SEED = int(os.environ.get("HARBOR_AGENT_ORACLE_SEED", "1"))
BATCH = 300
# Each failure is cut down by hundreds of tries; one is enough to go on with.
MOST_FAILURES = 10
MOST_ROUNDS = 40


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def systemd(request: pytest.FixtureRequest) -> Iterator[Systemd]:
    with Lab(shapes=("no-docker",), suites=(request.param,)) as lab:
        yield Systemd(lab.nodes[0])


def failing(systemd: Systemd, cases: Iterable[Case]) -> dict[Case, str]:
    found = {}
    rest = iter(cases)
    while part := list(islice(rest, BATCH)):
        numbered = dict(zip(systemd.number(len(part)), part, strict=True))
        outcomes = systemd.run(numbered)
        for number, case in numbered.items():
            difference = disagreement(case, number, outcomes[number], systemd.version)
            if difference:
                found[case] = difference
    return found


def cut_down(systemd: Systemd, failures: dict[Case, str]) -> dict[Case, str]:
    """Return the least cases that fail: each round tries all that have one piece less, at once."""
    current = dict(islice(sorted(failures.items(), key=lambda item: item[0].size), MOST_FAILURES))
    for _ in range(MOST_ROUNDS):
        smaller = {case: list(case.smaller()) for case in current}
        failed = failing(systemd, dict.fromkeys(one for tries in smaller.values() for one in tries))
        best = {
            case: min((one for one in tries if one in failed), key=lambda one: one.size, default=case)
            for case, tries in smaller.items()
        }
        following = {case: failed.get(case) or current[case] for case in best.values()}
        if following == current:
            break
        current = following
    return current


def test_generated_services_run_as_expected(systemd: Systemd, record_property: Callable[[str, object], None]) -> None:
    record_property("HARBOR_AGENT_ORACLE_SEED", SEED)
    failures = failing(systemd, generated(COUNT, SEED))
    if failures:
        least = cut_down(systemd, failures)
        told = "\n\n".join(f"{yaml.safe_dump([as_kept(case)])}{why}" for case, why in least.items())
        pytest.fail(f"{len(failures)} of {COUNT}, seed {SEED}, systemd {systemd.version}:\n{told}", pytrace=False)


def test_kept_cases_are_as_recorded(systemd: Systemd) -> None:
    cases = [kept for kept in KEPT if systemd.version in kept.versions]
    numbered = dict(zip(systemd.number(len(cases)), cases, strict=True))
    outcomes = systemd.run({number: kept.case for number, kept in numbered.items()})
    for number, kept in numbered.items():
        if kept.state == "runs":
            assert kept.matches(outcomes[number], number), (kept.about, outcomes[number])
        else:
            assert not disagreement(kept.case, number, outcomes[number], systemd.version), kept.about
