"""Whether a workload keeps its pull secrets when KubeSphere's console edits one of its containers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.workloads.template import PULL_SECRETS_ANNOTATION

if TYPE_CHECKING:
    from harbor_agent.model.workloads.template import PodTemplate, Workload


class Retention(StrEnum):
    """What happens to a workload's pull secrets when the console edits a container."""

    KEPT = "kept"
    SEVERAL = "several"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRetention:
    """The pull secrets of one workload, and which of them an edit in the console would drop.

    `missing` are the containers without a secret in the annotation, `dropped` the secrets that an edit of some
    container would remove. INCOMPLETE: some are missing. SEVERAL: none is missing, but some are dropped.
    """

    workload: Workload
    status: Retention
    missing: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    problem: Problem | None = None


def check_retention(workload: Workload) -> SecretRetention | None:
    """Return what an edit in the console would do to a live workload, None if it has no pull secrets.

    A workload that the console does not edit keeps them.
    """
    template = workload.template
    if not template.pull_secrets:
        return None
    if workload.is_custom:
        return SecretRetention(workload=workload, status=Retention.KEPT)
    try:
        entries = read_annotation(template)
    except ValueError:
        entries = {}
    missing = tuple(c.name for c in template.containers if not entries.get(c.name))
    dropped = _find_dropped(template, entries)
    if missing:
        problem = _describe_incomplete(workload, missing, dropped)
        return SecretRetention(
            workload=workload, status=Retention.INCOMPLETE, missing=missing, dropped=dropped, problem=problem
        )
    if dropped:
        return SecretRetention(
            workload=workload, status=Retention.SEVERAL, dropped=dropped, problem=_describe_several(workload, dropped)
        )
    return SecretRetention(workload=workload, status=Retention.KEPT)


def read_annotation(template: PodTemplate) -> dict[str, str]:
    """Return the annotation's secrets by container. Raises ValueError with the reason if it holds something else."""
    if not (template.annotation or "").strip():
        return {}
    reason = f"the annotation '{PULL_SECRETS_ANNOTATION}' is not {{container: secret}} in JSON"
    try:
        entries = json.loads(template.annotation or "")
    except (ValueError, RecursionError):
        raise ValueError(reason) from None
    if not isinstance(entries, dict) or not all(isinstance(secret, str) for secret in entries.values()):
        raise ValueError(reason)
    return entries


def _find_dropped(template: PodTemplate, entries: dict[str, str]) -> tuple[str, ...]:
    """Return the pull secrets that an edit of some container drops: KubeSphere 3.3 and 3.4 keep only its own."""
    return tuple(
        secret
        for secret in template.pull_secrets
        if any(entries.get(container.name) != secret for container in template.containers)
    )


def _describe_incomplete(workload: Workload, missing: tuple[str, ...], dropped: tuple[str, ...]) -> Problem:
    secret, registry = (dropped[0], "") if len(dropped) == 1 else ("NAME", " --registry HOST")
    where = f"-n {workload.namespace} " if workload.namespace else ""
    return Problem(
        code="annotation-incomplete",
        message=f"{workload}: editing {_join_names(missing)} in KubeSphere's console drops {_join_names(dropped)}, "
        f"because the annotation names no secret for {'it' if len(missing) == 1 else 'them'}",
        hint=f"annotate the manifest at its source, or the live workload, which restarts its pods: kubectl {where}get "
        f"{workload.kind.lower()} {workload.name} -o yaml | harbor-agent workloads annotate --secret {secret}"
        f"{registry} - | kubectl replace -f -",
    )


def _describe_several(workload: Workload, dropped: tuple[str, ...]) -> Problem:
    return Problem(
        code="pull-secrets-several",
        message=f"{workload}: editing a container in KubeSphere's console before version 4 keeps only that container's "
        f"pull secret, so {_join_names(dropped)} may be dropped",
        hint="after such an edit check what is left with `harbor-agent workloads scan`, or edit the manifest instead",
    )


def _join_names(names: tuple[str, ...]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
