"""The pull secret as kubelet and KubeSphere's console read it.

Kubernetes checks the type and that the payload is JSON, never its content, so the content is decided here.
kubelet strips a scheme from the key and compares the rest; KubeSphere's console needs the scheme, reads only the
first key, and without a scheme validates against Docker Hub.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from harbor_agent.formats.basic_auth import encode_login
from harbor_agent.formats.secret_record import (
    RECORD,
    build_record,
    has_recorded_content,
    is_record_of,
)
from harbor_agent.model.address import DOCKER_HUB_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.formats.secret_record import (
        ObjectIdentity,
    )
    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import Credentials, KeyForm
    from harbor_agent.model.secret import SecretForm, SecretSpec

SECRET_TYPE: Final = "kubernetes.io/dockerconfigjson"  # noqa: S105  (a type, no password)
PAYLOAD_KEY: Final = ".dockerconfigjson"
MANAGED_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "harbor-agent"
FORCE_INSECURE: Final = "secret.kubesphere.io/force-insecure"

_DOCKER_HUB_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedSecret:
    """A secret as the cluster holds it. `payload` is the value of `.dockerconfigjson`, base64 removed.

    `label_managers` and `payload_managers` are the field managers of our label and of the payload (managedFields).
    """

    type: str
    payload: bytes | None = field(default=None, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    immutable: bool = False
    resource_version: str = ""
    identity: ObjectIdentity | None = None
    label_managers: frozenset[str] = frozenset()
    payload_managers: frozenset[str] = frozenset()

    @property
    def is_ours(self) -> bool:
        """Whether this tool created it: this very object, not one that it was copied from.

        Earlier versions wrote no record; then our label must be set by us alone, as anyone who copies it sets it too.
        """
        if self.identity and RECORD in self.annotations:
            return is_record_of(self.annotations[RECORD], self.identity)
        return self._has_label and self.label_managers == {MANAGER}

    @property
    def is_copy(self) -> bool:
        """Whether somebody else created it from a secret of ours, our label or record included."""
        return not self.is_ours and (self._has_label or RECORD in self.annotations)

    @property
    def is_as_written(self) -> bool:
        """Whether it is ours and the payload is the one that we wrote last."""
        if self.identity and RECORD in self.annotations:
            return has_recorded_content(self.annotations[RECORD], self.identity, self.payload)
        return self.is_ours and self.payload_managers <= {MANAGER}

    @property
    def _has_label(self) -> bool:
        return self.labels.get(MANAGED_LABEL) == MANAGER


def build_registry_key(address: Address, key_form: KeyForm) -> str:
    """Return the key under `auths`: with a scheme for KubeSphere's console, without one for plain Kubernetes.

    Docker Hub's key is always `https://index.docker.io/v1/`, with the trailing slash.
    """
    if address.is_docker_hub:
        return _DOCKER_HUB_KEY
    return address.url if key_form == "kubesphere" else address.entry


def build_payload(address: Address, credentials: Credentials, key_form: KeyForm) -> bytes:
    """Return the value of `.dockerconfigjson`: compact UTF-8 JSON with all four fields, the same bytes every time.

    Raises UsageError for credentials that no registry can take.
    """
    auth = encode_login(credentials).reveal()
    login = {
        "username": credentials.username,
        "password": credentials.password.reveal(),
        "email": credentials.email,
        "auth": auth,
    }
    document = {"auths": {build_registry_key(address, key_form): login}}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def build_annotations(spec: SecretSpec | SecretForm) -> dict[str, str]:
    """Return the annotations: KubeSphere's console sets force-insecure exactly if the key's scheme is http.

    For https it is set on request only: KubeSphere 4 then verifies no certificate.
    """
    insecure = build_registry_key(spec.address, spec.key_form).startswith("http://")
    return {FORCE_INSECURE: "true"} if insecure or spec.force_insecure else {}


def build_manifest(spec: SecretSpec, namespace: str | None = None) -> dict[str, object]:
    """Return the manifest, password included."""
    metadata: dict[str, object] = {"name": spec.name}
    if namespace:
        metadata["namespace"] = namespace
    metadata["labels"] = {MANAGED_LABEL: MANAGER}
    if annotations := build_annotations(spec):
        metadata["annotations"] = annotations
    payload = build_payload(spec.address, spec.credentials, spec.key_form)
    data = {PAYLOAD_KEY: base64.b64encode(payload).decode("ascii")}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": SECRET_TYPE, "data": data}


def build_apply_manifest(spec: SecretSpec, namespace: str, observed: ObservedSecret | None) -> dict[str, object]:
    """Return the manifest for server-side apply.

    We become the manager of every field in it, so a secret that somebody else made gets no label and no record of
    ours. The record needs the uid, so an object that does not exist yet gets it by a second write.
    """
    manifest = build_manifest(spec, namespace)
    metadata = cast("dict[str, object]", manifest["metadata"])
    if observed is not None and not observed.is_ours:
        return manifest | {"metadata": {key: value for key, value in metadata.items() if key != "labels"}}
    if record := _build_record(spec, observed):
        manifest["metadata"] = metadata | {"annotations": build_annotations(spec) | record}
    return manifest


def _build_record(spec: SecretSpec, observed: ObservedSecret | None) -> dict[str, str]:
    if observed is None or observed.identity is None or not observed.is_ours:
        return {}
    return {RECORD: build_record(observed.identity, build_payload(spec.address, spec.credentials, spec.key_form))}


def render_manifest(spec: SecretSpec, namespace: str | None = None) -> str:
    """Return the manifest as a YAML document that starts with `---`."""
    import yaml  # noqa: PLC0415  (kept out of start-up)

    manifest = build_manifest(spec, namespace)
    return str(yaml.safe_dump(manifest, explicit_start=True, sort_keys=False, allow_unicode=True, width=1000))


def build_patch(spec: SecretSpec, observed: ObservedSecret) -> dict[str, object]:
    """Return the JSON merge patch (RFC 7386) from `observed` to the specified secret, for servers without apply.

    It includes the resource version, so the API server answers 409 if the secret was written in the meantime.
    """
    annotations = {FORCE_INSECURE: None} | build_annotations(spec) | _build_record(spec, observed)
    metadata: dict[str, object] = {"annotations": annotations}
    if observed.resource_version:
        metadata["resourceVersion"] = observed.resource_version
    payload = build_payload(spec.address, spec.credentials, spec.key_form)
    return {"metadata": metadata, "data": {PAYLOAD_KEY: base64.b64encode(payload).decode("ascii")}}


def find_registry_hosts(observed: ObservedSecret) -> set[str]:
    """Return the registries that the secret holds logins for, as `host[:port]`; Docker Hub is `docker.io`."""
    return {parse_host(key) for key in read_logins(observed.payload)}


def find_username(observed: ObservedSecret) -> str:
    """Return the user name of the first login, "" if there is none or it cannot be read."""
    first = next(iter(read_logins(observed.payload).values()), None)
    user = first.get("username") if isinstance(first, dict) else None
    return user if isinstance(user, str) else ""


def mask_login(text: str, spec: SecretSpec) -> str:
    """Mask the password in `text`, in each form in which a server could echo it."""
    payload = build_payload(spec.address, spec.credentials, spec.key_form)
    forms = (
        base64.b64encode(payload).decode("ascii"),
        encode_login(spec.credentials).reveal(),
        spec.credentials.password.reveal(),
    )
    for form in filter(None, forms):
        text = text.replace(form, "***")
    return text


def decode_payload(payload: bytes | None) -> object:
    """Return the document in the payload, None if it is not JSON."""
    try:
        return json.loads(payload or b"null")
    except ValueError:
        return None


def read_logins(payload: bytes | None) -> dict[str, object]:
    """Return the logins by registry key, empty if the payload has none."""
    document = decode_payload(payload)
    auths = document.get("auths") if isinstance(document, dict) else None
    return auths if isinstance(auths, dict) else {}


def list_other_keys(observed: ObservedSecret, address: Address) -> tuple[str, ...]:
    """Return the registry keys that are not the login for `address` itself: other hosts, and paths below any host.

    kubelet chooses the login by the longest path, so `HOST/project` is another login than `HOST`.
    """
    wanted = parse_host(build_registry_key(address, "plain")), ""
    return tuple(sorted(key for key in read_logins(observed.payload) if _split_key(key) != wanted))


def list_other_members(observed: ObservedSecret) -> tuple[str, ...]:
    """Return the members of the payload besides `auths`, such as `credHelpers`."""
    document = decode_payload(observed.payload)
    return tuple(sorted(set(document) - {"auths"})) if isinstance(document, dict) else ()


def _split_key(key: str) -> tuple[str, str]:
    """Return host and path of a key; /v1/ and /v2/ are no paths (kubelet, pkg/credentialprovider/keyring.go)."""
    path = re.sub(r"\A[A-Za-z]+://", "", key).partition("/")[2]
    return parse_host(key), re.sub(r"\Av[12](/|\Z)", "", path).strip("/")


def parse_host(key: str) -> str:
    """Return the `host[:port]` of a registry key, as kubelet compares it; `docker.io` for any of Docker Hub's names."""
    host = re.sub(r"\A[A-Za-z]+://", "", key).partition("/")[0]
    return "docker.io" if host.lower() in DOCKER_HUB_NAMES else host
