"""ConfigMaps: read, and changed by a JSON patch that tests the text that was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lightkube import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap
from lightkube.types import PatchType

from harbor_agent.errors import Problem
from harbor_agent.formats.secret_record import ObjectIdentity
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.model.dns import ConfigMapState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.kubernetes.kubeconfig.client import ApiClient
    from harbor_agent.model.dns import ConfigMapChange

_FIELD_MANAGER: Final = "harbor-agent"
_TEST_FAILED: Final = 422  # also for a patch that does not fit the object, which means that it has changed


def read_config_map(client: ApiClient, namespace: str, name: str) -> ConfigMapState | Problem | None:
    """Return the ConfigMap, None if it does not exist."""
    intent = Intent(verb="get", resource="configmaps", name=name, namespace=namespace)
    found = attempt(intent, lambda: client.get(ConfigMap, name, namespace=namespace))
    if isinstance(found, Problem):
        return None if found.code == "cluster-not-found" else found
    metadata = found.metadata or ObjectMeta()
    managers = [entry for entry in metadata.managedFields or [] if "f:data" in (entry.fieldsV1 or {})]
    return ConfigMapState(
        namespace=namespace,
        name=name,
        data=found.data or {},
        labels=metadata.labels or {},
        annotations=metadata.annotations or {},
        managers=frozenset(entry.manager or "" for entry in managers),
        owners=frozenset(owner.kind for owner in metadata.ownerReferences or []),
        uid=metadata.uid or "",
        resource_version=metadata.resourceVersion or "",
    )


def write_change(client: ApiClient, change: ConfigMapChange) -> Problem | None:
    """Create, patch or delete the ConfigMap; `cluster-conflict` if a key is no longer as it was before the change."""
    before, after = change.before, change.after
    verb = "create" if change.creates else "patch" if after else "delete"
    intent = Intent(verb=verb, resource="configmaps", name=before.name, namespace=before.namespace)

    def send() -> Problem | None:
        if after is None:
            identity = ObjectIdentity(namespace=before.namespace, name=before.name, uid=before.uid)
            client.delete_exactly(ConfigMap, identity, before.resource_version)
        elif change.creates:
            metadata = ObjectMeta(
                namespace=after.namespace,
                name=after.name,
                labels=dict(after.labels),
                annotations=dict(after.annotations),
            )
            client.create(ConfigMap(metadata=metadata, data=dict(after.data)), field_manager=_FIELD_MANAGER)
        else:
            return _patch(client, before, after)
        return None

    return attempt(intent, send)


def _patch(client: ApiClient, before: ConfigMapState, after: ConfigMapState) -> Problem | None:
    try:
        client.patch(
            ConfigMap,
            before.name,
            build_patch(before, after),
            namespace=before.namespace,
            patch_type=PatchType.JSON,
            field_manager=_FIELD_MANAGER,
        )
    except ApiError as error:
        if error.status.code != _TEST_FAILED:
            raise
        return Problem(
            code="cluster-conflict",
            message=f"another client changed configmap {before.name} in namespace {before.namespace} at the same time",
            hint="run the command again",
        )
    return None


def build_patch(before: ConfigMapState, after: ConfigMapState) -> list[dict[str, object]]:
    """Return the operations of a JSON patch (RFC 6902): a test of each old value, then the new ones."""
    annotations = _build_operations("/metadata/annotations", before.annotations, after.annotations)
    operations = [*_build_operations("/data", before.data, after.data), *annotations]
    return sorted(operations, key=lambda operation: operation["op"] != "test")


def _build_operations(path: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[dict[str, object]]:
    if not before and after:
        return [{"op": "add", "path": path, "value": dict(after)}]
    operations: list[dict[str, object]] = []
    for key in sorted(before.keys() | after.keys()):
        place = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if before.get(key) == after.get(key):
            continue
        if key in before:
            operations.append({"op": "test", "path": place, "value": before[key]})
        if key in after:
            operations.append({"op": "replace" if key in before else "add", "path": place, "value": after[key]})
        else:
            operations.append({"op": "remove", "path": place})
    return operations
