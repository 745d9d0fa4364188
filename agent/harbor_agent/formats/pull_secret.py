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
from harbor_agent.model.address import DOCKER_HUB_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import Credentials, KeyForm
    from harbor_agent.model.secret import SecretSpec

SECRET_TYPE: Final = "kubernetes.io/dockerconfigjson"  # noqa: S105  (a type, no password)
PAYLOAD_KEY: Final = ".dockerconfigjson"
MANAGED_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "harbor-agent"
FORCE_INSECURE: Final = "secret.kubesphere.io/force-insecure"

_DOCKER_HUB_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedSecret:
    """A secret as the cluster holds it. `payload` is the value of `.dockerconfigjson`, base64 removed."""

    type: str
    payload: bytes | None = field(default=None, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    immutable: bool = False
    resource_version: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether this tool created it."""
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


def build_annotations(spec: SecretSpec) -> dict[str, str]:
    """Return the annotations: KubeSphere's console sets force-insecure exactly if the key's scheme is http."""
    insecure = build_registry_key(spec.address, spec.key_form).startswith("http://")
    return {FORCE_INSECURE: "true"} if insecure else {}


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

    We become the manager of every field in it, so a secret that somebody else made gets no label of ours.
    """
    manifest = build_manifest(spec, namespace)
    if observed is not None and not observed.is_ours:
        metadata = cast("dict[str, object]", manifest["metadata"])
        manifest = manifest | {"metadata": {key: value for key, value in metadata.items() if key != "labels"}}
    return manifest


def render_manifest(spec: SecretSpec, namespace: str | None = None) -> str:
    """Return the manifest as a YAML document that starts with `---`."""
    import yaml  # noqa: PLC0415  (kept out of start-up)

    manifest = build_manifest(spec, namespace)
    return str(yaml.safe_dump(manifest, explicit_start=True, sort_keys=False, allow_unicode=True, width=1000))


def build_patch(spec: SecretSpec, observed: ObservedSecret) -> dict[str, object]:
    """Return the JSON merge patch (RFC 7386) from `observed` to the specified secret, for servers without apply.

    It includes the resource version, so the API server answers 409 if the secret was written in the meantime.
    """
    metadata: dict[str, object] = {"annotations": {FORCE_INSECURE: None} | build_annotations(spec)}
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


def parse_host(key: str) -> str:
    """Return the `host[:port]` of a registry key, as kubelet compares it; `docker.io` for any of Docker Hub's names."""
    host = re.sub(r"\A[A-Za-z]+://", "", key).partition("/")[0]
    return "docker.io" if host.lower() in DOCKER_HUB_NAMES else host
