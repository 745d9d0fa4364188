"""Secret objects on the server: read, written by server-side apply, listed, deleted."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from lightkube import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Secret
from lightkube.types import PatchType

from harbor_agent.errors import Problem
from harbor_agent.formats.pull_secret import (
    FORCE_INSECURE,
    MANAGED_LABEL,
    MANAGER,
    PAYLOAD_KEY,
    ObservedSecret,
    build_annotations,
    build_apply_manifest,
    build_manifest,
    build_patch,
    mask_login,
)
from harbor_agent.formats.secret_record import RECORD, ObjectIdentity
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.kubernetes.field_managers import describe_manager
from harbor_agent.model.secret import ALL_NAMESPACES

if TYPE_CHECKING:
    from lightkube import Client
    from lightkube.models.meta_v1 import ManagedFieldsEntry, StatusCause

    from harbor_agent.kubernetes.kubeconfig.client import ApiClient
    from harbor_agent.model.secret import SecretSpec

_CONFLICT = 409
_UNSUPPORTED_MEDIA_TYPE = 415


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSecret:
    """A secret in the cluster with our label, ours or a copy of it, with its namespace and name."""

    namespace: str
    name: str
    observed: ObservedSecret


def read_secret(client: Client, namespace: str, name: str) -> ObservedSecret | Problem | None:
    """Return the secret of that name, None if it does not exist."""
    intent = Intent(verb="get", resource="secrets", name=name, namespace=namespace)
    found = attempt(intent, lambda: client.get(Secret, name, namespace=namespace))
    if isinstance(found, Problem):
        return None if found.code == "cluster-not-found" else found
    return _read_observed(found)


def list_labelled(client: Client, namespace: str) -> tuple[NamedSecret, ...] | Problem:
    """Return the secrets with our label in a namespace, "*" for all: those that this tool created, and copies."""
    where = "" if namespace == ALL_NAMESPACES else namespace
    intent = Intent(verb="list", resource="secrets", namespace=where)
    found = attempt(intent, lambda: tuple(client.list(Secret, namespace=namespace, labels={MANAGED_LABEL: MANAGER})))
    if isinstance(found, Problem):
        return found
    named = [(secret.metadata or ObjectMeta(), secret) for secret in found]
    return tuple(
        NamedSecret(namespace=metadata.namespace or "", name=metadata.name or "", observed=_read_observed(secret))
        for metadata, secret in named
    )


def try_secret(
    client: Client, spec: SecretSpec, namespace: str, observed: ObservedSecret | None
) -> ObservedSecret | Problem:
    """Send the write of `write_secret` as a dry run; return the secret as the server would then hold it.

    That includes what a second write does: the record of a new secret, whose content depends on the uid, and the
    removal of an annotation. `secret-conflict` as for a write.
    """
    tried = _apply(client, spec, namespace, observed, dry_run=True)
    if isinstance(tried, Problem):
        return _mask_problem(tried, spec)
    result = _read_observed(tried)
    kept = {key: value for key, value in result.annotations.items() if key not in _list_stale(spec, result)}
    return replace(result, annotations=kept | ({RECORD: ""} if observed is None else {}))


def write_secret(client: Client, spec: SecretSpec, namespace: str, observed: ObservedSecret | None) -> Problem | None:
    """Write the secret by server-side apply; `secret-conflict` if another client manages a field that would change.

    A field that we wrote before, also by other means than apply, is no conflict. A server before 1.16 has no
    server-side apply and gets a create or a patch.
    """
    written = _apply(client, spec, namespace, observed, dry_run=False)
    if isinstance(written, Problem):
        return _mask_problem(written, spec)
    if observed is None:
        problem = _add_record(client, spec, namespace, written)
    else:
        problem = _remove_annotation(client, spec, namespace, observed)
    return _mask_problem(problem, spec) if problem else None


def delete_secret(client: ApiClient, observed: ObservedSecret) -> Problem | None:
    """Delete the secret as it was observed; `cluster-conflict` if it is another one or was changed since.

    A secret that does not exist is no problem.
    """
    identity = observed.identity
    if identity is None:
        return None
    intent = Intent(verb="delete", resource="secrets", name=identity.name, namespace=identity.namespace)
    done = attempt(intent, lambda: client.delete_exactly(Secret, identity, observed.resource_version))
    return done if isinstance(done, Problem) and done.code != "cluster-not-found" else None


def _mask_problem(problem: Problem, spec: SecretSpec) -> Problem:
    return replace(problem, message=mask_login(problem.message, spec))


def _apply(
    client: Client, spec: SecretSpec, namespace: str, observed: ObservedSecret | None, *, dry_run: bool
) -> Secret | Problem:
    wanted = cast("Secret", Secret.from_dict(build_apply_manifest(spec, namespace, observed)))
    verb = "create" if observed is None else "patch"

    def send() -> Secret | Problem:
        try:
            return client.apply(wanted, field_manager=MANAGER, force=spec.force_conflicts, dry_run=dry_run)
        except ApiError as error:
            if error.status.code == _UNSUPPORTED_MEDIA_TYPE:
                return _create_or_patch(client, spec, namespace, observed, dry_run=dry_run)
            conflicts = _find_conflicts(error)
            if not conflicts:
                raise
            if all(f'"{MANAGER}"' in (cause.message or "") for cause in conflicts):
                return _apply(client, replace(spec, force_conflicts=True), namespace, observed, dry_run=dry_run)
            return _describe_conflict(spec, namespace, conflicts)

    return attempt(Intent(verb=verb, resource="secrets", name=spec.name, namespace=namespace), send)


def _create_or_patch(
    client: Client, spec: SecretSpec, namespace: str, observed: ObservedSecret | None, *, dry_run: bool
) -> Secret:
    if observed is None:
        wanted = cast("Secret", Secret.from_dict(build_manifest(spec, namespace)))
        return client.create(wanted, dry_run=dry_run)
    patch = build_patch(spec, observed)
    return client.patch(Secret, spec.name, patch, namespace=namespace, patch_type=PatchType.MERGE, dry_run=dry_run)


def _add_record(client: Client, spec: SecretSpec, namespace: str, created: Secret) -> Problem | None:
    """Write the record of a secret just created, unless another client created it a moment before."""
    if any(entry.manager != MANAGER for entry in _list_managers(created)):
        return None
    observed = replace(_read_observed(created), label_managers=frozenset({MANAGER}))
    written = _apply(client, spec, namespace, observed, dry_run=False)
    return written if isinstance(written, Problem) else None


def _remove_annotation(client: Client, spec: SecretSpec, namespace: str, observed: ObservedSecret) -> Problem | None:
    """Remove an annotation that is no longer right; apply leaves it if another client set it too."""
    stale = _list_stale(spec, observed)
    if not stale:
        return None
    patch = {"metadata": {"annotations": dict.fromkeys(stale)}}
    intent = Intent(verb="patch", resource="secrets", name=spec.name, namespace=namespace)
    done = attempt(
        intent, lambda: client.patch(Secret, spec.name, patch, namespace=namespace, patch_type=PatchType.MERGE)
    )
    return done if isinstance(done, Problem) else None


def _list_stale(spec: SecretSpec, observed: ObservedSecret) -> list[str]:
    """Return the annotations of ours that are not right for the specified secret."""
    return [key for key in (FORCE_INSECURE,) if key in observed.annotations and key not in build_annotations(spec)]


def _find_conflicts(error: ApiError) -> list[StatusCause]:
    causes = (error.status.details and error.status.details.causes) or []
    return [cause for cause in causes if error.status.code == _CONFLICT and cause.reason == "FieldManagerConflict"]


def _describe_conflict(spec: SecretSpec, namespace: str, conflicts: list[StatusCause]) -> Problem:
    """Name the managers in plain words; a cause reads: conflict with "kubectl-edit" using v1."""
    managers = sorted({(cause.message or "").partition('"')[2].partition('"')[0] for cause in conflicts})
    writers = " and ".join(describe_manager(manager) for manager in managers)
    return Problem(
        code="secret-conflict",
        message=f"secret {spec.name} in namespace {namespace} was last written {writers} and differs",
        hint="change the login there, or choose another --secret-name; --force-conflicts replaces what differs, and "
        "each later run then overwrites what is edited there",
    )


def _read_observed(secret: Secret) -> ObservedSecret:
    metadata = secret.metadata or ObjectMeta()
    encoded = (secret.data or {}).get(PAYLOAD_KEY)
    try:
        payload = base64.b64decode(encoded) if encoded is not None else None
    except binascii.Error:
        payload = None
    return ObservedSecret(
        type=secret.type or "Opaque",
        payload=payload,
        labels=metadata.labels or {},
        annotations=metadata.annotations or {},
        immutable=bool(secret.immutable),
        resource_version=metadata.resourceVersion or "",
        identity=ObjectIdentity(namespace=metadata.namespace or "", name=metadata.name or "", uid=metadata.uid or ""),
        label_managers=_find_managers(secret, "f:metadata", "f:labels", f"f:{MANAGED_LABEL}"),
        payload_managers=_find_managers(secret, "f:data", f"f:{PAYLOAD_KEY}"),
    )


def _list_managers(secret: Secret) -> list[ManagedFieldsEntry]:
    return (secret.metadata and secret.metadata.managedFields) or []


def _find_managers(secret: Secret, *path: str) -> frozenset[str]:
    """Return the names of those that manage a field, given by its steps in FieldsV1."""

    def has_field(entry: ManagedFieldsEntry) -> bool:
        fields: object = entry.fieldsV1
        for step in path:
            fields = fields.get(step) if isinstance(fields, dict) else None
        return fields is not None

    return frozenset(entry.manager or "" for entry in _list_managers(secret) if has_field(entry))
