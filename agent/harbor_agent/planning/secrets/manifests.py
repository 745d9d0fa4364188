"""Pull secrets in manifests: what to add so that KubeSphere's console keeps them when it edits a container."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.text import FormatError, apply_edits
from harbor_agent.formats.yaml.edits import add_pull_secret, set_annotation
from harbor_agent.formats.yaml.nodes import Manifests, NotEditableError
from harbor_agent.formats.yaml.workloads import find_unknown, find_workloads, fingerprint_documents
from harbor_agent.model.workloads.template import PodContainer
from harbor_agent.planning.secrets.retention import check_retention, read_annotation

if TYPE_CHECKING:
    from harbor_agent.formats.text import Edit
    from harbor_agent.formats.yaml.workloads import ManifestWorkload, UnknownWorkload
    from harbor_agent.model.address import Address
    from harbor_agent.model.workloads.template import PodTemplate, Workload

_MARK = "\ufeff"
_FEW_IMAGES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationSpec:
    """The secret to add; with `registries`, only for containers whose image is from one of them.

    With `all_kinds` also to pod templates of kinds that are not known.
    """

    secret: str
    registries: tuple[Address, ...] = ()
    all_kinds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedWorkload:
    """A workload before and after, and the `line` that it begins on.

    `path` is that of the pod template in its object. `changed_containers` have another secret in the annotation than
    before.
    """

    before: Workload
    after: Workload
    line: int
    path: str
    changed_containers: tuple[str, ...]
    warnings: tuple[Problem, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether anything was added."""
        return self.before != self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedManifest:
    """A text with the pull secret in each of its workloads, and the workloads in order.

    `warnings` name objects that start containers but were left alone.
    """

    text: str
    workloads: tuple[AnnotatedWorkload, ...]
    warnings: tuple[Problem, ...] = ()


def annotate(name: str, text: str, spec: AnnotationSpec) -> AnnotatedManifest | Problem:
    """Add the secret to every workload and leave everything else as it is, or return why that is impossible.

    `name` is what the problem calls the text. Idempotent.
    """
    mark = _MARK if text.startswith(_MARK) else ""
    body = text.removeprefix(_MARK)
    try:
        return _annotate_body(name, mark, body, spec)
    except NotEditableError as error:
        return Problem(
            code="manifest-not-editable",
            message=f"{name} line {error.line}: {error.reason}",
            hint="simplify that part, or add imagePullSecrets and the annotation by hand",
        )
    except FormatError as error:
        return _describe_invalid(name, body, error)


def _annotate_body(name: str, mark: str, body: str, spec: AnnotationSpec) -> AnnotatedManifest:
    manifests = Manifests(body)
    found = find_workloads(manifests, all_kinds=spec.all_kinds)
    afters = [_plan_template(one, spec) for one in found]
    edits = [edit for one, after in zip(found, afters, strict=True) for edit in _build_edits(body, one, after, spec)]
    text = apply_edits(body, edits)
    if edits:
        _verify_edits(manifests, found, afters, text, all_kinds=spec.all_kinds)
    workloads = (_build_workload(one, after, spec) for one, after in zip(found, afters, strict=True))
    warnings = (
        _describe_unknown(name, one)
        for one in find_unknown(manifests)
        if not (one.has_template and spec.all_kinds) and _starts_selected(one, spec)
    )
    return AnnotatedManifest(text=mark + text, workloads=tuple(workloads), warnings=tuple(warnings))


def _starts_selected(unknown: UnknownWorkload, spec: AnnotationSpec) -> bool:
    return any(_is_selected(PodContainer(name="", image=image), spec) for image in unknown.images)


def _describe_unknown(name: str, unknown: UnknownWorkload) -> Problem:
    owner = f"{unknown.namespace}/{unknown.name}" if unknown.namespace else unknown.name
    images = f"{', '.join(unknown.images[:_FEW_IMAGES])}{' and more' if len(unknown.images) > _FEW_IMAGES else ''}"
    by_hand = "add the secret by hand, or attach it to the pods' service account: harbor-agent secret apply "
    by_hand += "--service-account NAME"
    return Problem(
        code="workload-left-alone",
        message=f"{name} line {unknown.line}: left alone: {unknown.kind} {owner} starts containers of {images}, "
        "and its kind is not known",
        hint="--all-kinds adds the secret to its pod templates" if unknown.has_template else by_hand,
    )


def _build_workload(found: ManifestWorkload, template: PodTemplate, spec: AnnotationSpec) -> AnnotatedWorkload:
    before, after = found.workload, replace(found.workload, template=template)
    is_selected = any(_is_selected(one, spec) for one in template.containers)
    retention = check_retention(after) if is_selected and after.is_edited else None
    return AnnotatedWorkload(
        before=before,
        after=after,
        line=found.line,
        path=found.path,
        changed_containers=_find_changed_containers(before.template, template),
        warnings=(retention.problem,) if retention and retention.problem else (),
    )


def _plan_template(found: ManifestWorkload, spec: AnnotationSpec) -> PodTemplate:
    """Return the template as it should be: no entry is removed, and only `registries` replace a container's secret."""
    template = found.workload.template
    chosen = [one for one in template.containers if _is_selected(one, spec)]
    if not chosen:
        return template
    pull_secrets = template.pull_secrets
    pull_secrets = pull_secrets if spec.secret in pull_secrets else (*pull_secrets, spec.secret)
    if found.workload.is_custom:  # no annotation: its schema may not have one, and the console does not read it there
        return replace(template, pull_secrets=pull_secrets)
    try:
        entries = read_annotation(template)
    except ValueError as error:
        line = found.annotation.line if found.annotation else found.line
        raise NotEditableError(line, str(error)) from None
    before = dict(entries)
    for container in chosen:
        if spec.registries or not entries.get(container.name):
            entries[container.name] = spec.secret
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":"))
    return replace(
        template,
        pull_secrets=pull_secrets,
        annotation=template.annotation if entries == before else text,
    )


def _build_edits(text: str, found: ManifestWorkload, after: PodTemplate, spec: AnnotationSpec) -> list[Edit]:
    before = found.workload.template
    edits = []
    if after.pull_secrets != before.pull_secrets:
        edits.append(add_pull_secret(text, found, spec.secret))
    if after.annotation is not None and after.annotation != before.annotation:
        edits.append(set_annotation(text, found, after.annotation))
    return edits


def _verify_edits(
    before: Manifests, found: list[ManifestWorkload], afters: list[PodTemplate], text: str, *, all_kinds: bool
) -> None:
    """Parse the edited text again and compare it with the plan. Raises NotEditableError if they differ."""
    table: dict[object, int] = {}
    try:
        manifests = Manifests(text)
        again = find_workloads(manifests, all_kinds=all_kinds)
    except FormatError as error:
        raise _build_unsafe_error(error.line) from None
    for one, after, now in zip(found, afters, again, strict=True):
        if _strip_annotation(after) != _strip_annotation(now.workload.template):
            raise _build_unsafe_error(one.line)
    if fingerprint_documents(before, found, table) != fingerprint_documents(manifests, again, table):
        raise _build_unsafe_error(found[0].line)


def _strip_annotation(template: PodTemplate) -> tuple[object, ...]:
    """Return the template's content; blanks around the annotation do not count."""
    return template.containers, template.pull_secrets, (template.annotation or "").strip()


def _build_unsafe_error(line: int) -> NotEditableError:
    return NotEditableError(line, "it is written in a way that cannot be edited safely")


def _is_selected(container: PodContainer, spec: AnnotationSpec) -> bool:
    return not spec.registries or any(container.is_from(registry) for registry in spec.registries)


def _find_changed_containers(before: PodTemplate, after: PodTemplate) -> tuple[str, ...]:
    """Return the containers whose secret in the annotation changed."""
    if before.annotation == after.annotation:
        return ()
    old, new = read_annotation(before), read_annotation(after)
    return tuple(one.name for one in after.containers if old.get(one.name) != new.get(one.name))


def _describe_invalid(name: str, body: str, error: FormatError) -> Problem:
    """Return why the text cannot be parsed: usually it is an unrendered template, so name the braces' line."""
    lines = body.splitlines()[: error.line]
    # If a placeholder is alone on its line, the parser fails on the next one.
    at = next((number for number in (error.line, error.line - 1) if "{{" in "".join(lines[number - 1 : number])), 0)
    if not at:
        return Problem(
            code="manifest-invalid",
            message=f"{name} line {error.line}: {error.reason}",
            hint="check it with kubectl: kubectl apply --dry-run=client -f FILE",
        )
    return Problem(
        code="manifest-invalid",
        message=f"{name} line {at}: '{{{{' begins a template placeholder, so this is not a manifest yet",
        hint="render it first: helm template … | harbor-agent workloads annotate --secret NAME -",
    )
