"""Pull secrets of workloads: what a manifest needs so that editing it elsewhere keeps them, and what would be lost."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.text import FormatError, apply_edits
from harbor_agent.formats.yaml.edits import annotation_edit, pull_secret_edit
from harbor_agent.formats.yaml.nodes import Manifests, NotEditableError
from harbor_agent.formats.yaml.workloads import find_workloads, meaning
from harbor_agent.model.workload import EDITED_KINDS, PULL_SECRETS_ANNOTATION

if TYPE_CHECKING:
    from harbor_agent.formats.text import Edit
    from harbor_agent.formats.yaml.workloads import ManifestWorkload
    from harbor_agent.model.address import Address
    from harbor_agent.model.workload import PodContainer, PodTemplate, Workload

_MARK = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationSpec:
    """Which secret; where `registries` are named, only for containers whose image is from one of them."""

    secret: str
    registries: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedWorkload:
    """A workload as it is `after`; `line` is where it begins. `given` are the containers that now have the secret."""

    before: Workload
    after: Workload
    line: int
    given: tuple[str, ...]
    warnings: tuple[Problem, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything had to be added."""
        return self.before != self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedManifest:
    """A text with the pull secret in each of its workloads, and these in their order."""

    text: str
    workloads: tuple[AnnotatedWorkload, ...]


class Retention(StrEnum):
    """What becomes of a workload's pull secrets when a container is edited in the console."""

    KEPT = "kept"
    SEVERAL = "several"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRetention:
    """How a workload with pull secrets stands.

    `missing` are the containers that the annotation gives no secret, `dropped` the secrets that an edit of one
    container or another would take away. INCOMPLETE: `missing` has some. SEVERAL: none, and still some are dropped.
    """

    workload: Workload
    status: Retention
    missing: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    problem: Problem | None = None


def annotate(name: str, text: str, wish: AnnotationSpec) -> AnnotatedManifest | Problem:
    """Return the text with the secret in every workload, everything else as it was; or why it cannot be.

    `name` is what the problem calls the text. Twice is as good as once.
    """
    mark = _MARK if text.startswith(_MARK) else ""
    body = text.removeprefix(_MARK)
    try:
        return _annotated(mark, body, wish)
    except NotEditableError as error:
        return Problem(
            code="manifest-not-editable",
            message=f"{name} line {error.line}: {error.reason}",
            hint="write that place in a plainer way, or put imagePullSecrets and the annotation in by hand",
        )
    except FormatError as error:
        return _invalid(name, body, error)


def check_retention(workload: Workload) -> SecretRetention | None:
    """Return what an edit in the console would do to a live workload; None for one without pull secrets."""
    template = workload.template
    if not template.pull_secrets:
        return None
    try:
        entries = _entries(template)
    except ValueError:
        entries = {}
    missing = tuple(c.name for c in template.containers if not entries.get(c.name))
    dropped = _dropped(template, entries)
    if missing:
        problem = _incomplete(workload, missing, dropped)
        return SecretRetention(
            workload=workload, status=Retention.INCOMPLETE, missing=missing, dropped=dropped, problem=problem
        )
    if dropped:
        return SecretRetention(
            workload=workload, status=Retention.SEVERAL, dropped=dropped, problem=_several(workload, dropped)
        )
    return SecretRetention(workload=workload, status=Retention.KEPT)


def _annotated(mark: str, body: str, wish: AnnotationSpec) -> AnnotatedManifest:
    manifests = Manifests(body)
    found = find_workloads(manifests)
    afters = [_wanted(one, wish) for one in found]
    edits = [edit for one, after in zip(found, afters, strict=True) for edit in _edits(body, one, after, wish)]
    text = apply_edits(body, edits)
    if edits:
        _prove(manifests, found, afters, text)
    workloads = (_with(one, after, wish) for one, after in zip(found, afters, strict=True))
    return AnnotatedManifest(text=mark + text, workloads=tuple(workloads))


def _with(found: ManifestWorkload, template: PodTemplate, wish: AnnotationSpec) -> AnnotatedWorkload:
    before, after = found.workload, replace(found.workload, template=template)
    is_meant = any(_is_meant(one, wish) for one in template.containers)
    stands = check_retention(after) if is_meant and after.kind in EDITED_KINDS else None
    return AnnotatedWorkload(
        before=before,
        after=after,
        line=found.line,
        given=_given(before.template, template),
        warnings=(stands.problem,) if stands and stands.problem else (),
    )


def _wanted(found: ManifestWorkload, wish: AnnotationSpec) -> PodTemplate:
    """Return the template as it should be: no entry goes, and only a named registry's container changes its secret."""
    template = found.workload.template
    chosen = [one for one in template.containers if _is_meant(one, wish)]
    if not chosen:
        return template
    try:
        entries = _entries(template)
    except ValueError as error:
        line = found.annotation.line if found.annotation else found.line
        raise NotEditableError(line, str(error)) from None
    before = dict(entries)
    for container in chosen:
        if wish.registries or not entries.get(container.name):
            entries[container.name] = wish.secret
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":"))
    pull_secrets = template.pull_secrets
    return replace(
        template,
        pull_secrets=pull_secrets if wish.secret in pull_secrets else (*pull_secrets, wish.secret),
        annotation=template.annotation if entries == before else text,
    )


def _edits(text: str, found: ManifestWorkload, after: PodTemplate, wish: AnnotationSpec) -> list[Edit]:
    before = found.workload.template
    edits = []
    if after.pull_secrets != before.pull_secrets:
        edits.append(pull_secret_edit(text, found, wish.secret))
    if after.annotation is not None and after.annotation != before.annotation:
        edits.append(annotation_edit(text, found, after.annotation))
    return edits


def _prove(before: Manifests, found: list[ManifestWorkload], afters: list[PodTemplate], text: str) -> None:
    """Read the edited text again: it must say just what was wanted. Raises NotEditableError where it does not."""
    table: dict[object, int] = {}
    try:
        manifests = Manifests(text)
        again = find_workloads(manifests)
    except FormatError as error:
        raise _unusual(error.line) from None
    for one, after, now in zip(found, afters, again, strict=True):
        if _as_read(after) != _as_read(now.workload.template):
            raise _unusual(one.line)
    if meaning(before, found, table) != meaning(manifests, again, table):
        raise _unusual(found[0].line)


def _as_read(template: PodTemplate) -> tuple[object, ...]:
    """Return what the template says; blanks at the end of the annotation say nothing."""
    return template.containers, template.pull_secrets, (template.annotation or "").strip()


def _unusual(line: int) -> NotEditableError:
    return NotEditableError(line, "it is written in a way that cannot be edited safely")


def _is_meant(container: PodContainer, wish: AnnotationSpec) -> bool:
    return not wish.registries or any(container.is_from(registry) for registry in wish.registries)


def _given(before: PodTemplate, after: PodTemplate) -> tuple[str, ...]:
    """Return the containers whose secret in the annotation is another than before."""
    if before.annotation == after.annotation:
        return ()
    old, new = _entries(before), _entries(after)
    return tuple(one.name for one in after.containers if old.get(one.name) != new.get(one.name))


def _entries(template: PodTemplate) -> dict[str, str]:
    """Return the annotation's entries. Raises ValueError with a clause where it holds something else."""
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


def _dropped(template: PodTemplate, entries: dict[str, str]) -> tuple[str, ...]:
    """Return the pull secrets that an edit of one container takes away: KubeSphere 3.3 and 3.4 keep its own only."""
    return tuple(
        secret
        for secret in template.pull_secrets
        if any(entries.get(container.name) != secret for container in template.containers)
    )


def _incomplete(workload: Workload, missing: tuple[str, ...], dropped: tuple[str, ...]) -> Problem:
    secret, registry = (dropped[0], "") if len(dropped) == 1 else ("NAME", " --registry HOST")
    where = f"-n {workload.namespace} " if workload.namespace else ""
    return Problem(
        code="annotation-incomplete",
        message=f"{workload}: an edit of {_and(missing)} in KubeSphere's console drops {_and(dropped)}, "
        "because the annotation names no secret there",
        hint=f"annotate it where its manifest is kept; or at once, which starts its pods anew: kubectl {where}get "
        f"{workload.kind.lower()} {workload.name} -o yaml | harbor-agent workloads annotate --secret {secret}"
        f"{registry} - | kubectl replace -f -",
    )


def _several(workload: Workload, dropped: tuple[str, ...]) -> Problem:
    return Problem(
        code="pull-secrets-several",
        message=f"{workload}: an edit of one container in KubeSphere's console before version 4 leaves that one's "
        f"pull secret only, so {_and(dropped)} may go",
        hint="after such an edit see what is left with harbor-agent workloads scan; or edit the manifest instead",
    )


def _and(names: tuple[str, ...]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _invalid(name: str, body: str, error: FormatError) -> Problem:
    """Return why the text cannot be read; a template's braces are named where they are, for they are why."""
    lines = body.splitlines()[: error.line]
    # Where a placeholder stands alone on a line, it is the next one that cannot be read.
    at = next((number for number in (error.line, error.line - 1) if "{{" in "".join(lines[number - 1 : number])), 0)
    if not at:
        return Problem(
            code="manifest-invalid",
            message=f"{name} line {error.line}: {error.reason}",
            hint="see what kubectl says: kubectl apply --dry-run=client -f FILE",
        )
    return Problem(
        code="manifest-invalid",
        message=f"{name} line {at}: '{{{{' begins a template's placeholder, so this is no manifest yet",
        hint="render it first: helm template … | harbor-agent workloads annotate --secret NAME -",
    )
