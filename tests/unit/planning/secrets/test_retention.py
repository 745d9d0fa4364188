"""Which pull secrets a live workload loses when KubeSphere's console edits one of its containers."""

from __future__ import annotations

import pytest

from harbor_agent.model.workloads.template import PodContainer, PodTemplate, Workload
from harbor_agent.planning.secrets.retention import Retention, check_retention


def workload(annotation: str | None, *secrets: str, containers: tuple[str, ...] = ("web", "side")) -> Workload:
    template = PodTemplate(
        containers=tuple(PodContainer(name=name) for name in containers),
        pull_secrets=secrets,
        annotation=annotation,
    )
    return Workload(kind="Deployment", namespace="demo", name="web", template=template)


def test_without_pull_secrets_there_is_nothing_to_lose() -> None:
    assert check_retention(workload(None)) is None


@pytest.mark.parametrize(
    ("annotation", "missing"),
    [
        (None, ("web", "side")),
        ("", ("web", "side")),
        ("{}", ("web", "side")),
        ("no JSON", ("web", "side")),
        ('{"web":"a"}', ("side",)),
        ('{"web":"a","side":""}', ("side",)),
    ],
)
def test_a_container_that_is_left_out_costs_the_secrets(annotation: str | None, missing: tuple[str, ...]) -> None:
    found = check_retention(workload(annotation, "a"))
    assert found
    assert (found.status, found.missing, found.dropped) == (Retention.INCOMPLETE, missing, ("a",))
    assert found.problem
    assert "kubectl -n demo get deployment web" in found.problem.hint
    assert "annotate --secret a -" in found.problem.hint


def test_where_all_have_the_one_secret_it_is_kept() -> None:
    found = check_retention(workload('{"web":"a","side":"a"}', "a"))
    assert found
    assert (found.status, found.dropped, found.problem) == (Retention.KEPT, (), None)


def test_of_several_secrets_one_stays() -> None:
    found = check_retention(workload('{"web":"a","side":"b"}', "a", "b"))
    assert found
    assert (found.status, found.missing, found.dropped) == (Retention.SEVERAL, (), ("a", "b"))


def test_with_several_secrets_the_hint_leaves_the_choice() -> None:
    found = check_retention(workload(None, "a", "b"))
    assert found
    assert found.problem
    assert "--secret NAME --registry HOST" in found.problem.hint
