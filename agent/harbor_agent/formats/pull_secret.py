"""The pull secret as kubelet and KubeSphere's console read it; pure.

Kubernetes looks at the type and that the payload is JSON, never inside, so what is inside is decided here.
kubelet strips a scheme from the key and compares the rest; KubeSphere's console needs the scheme, reads only the
first key, and without a scheme validates against Docker Hub.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, cast

from harbor_agent.errors import Problem
from harbor_agent.formats.basic_auth import encoded_login
from harbor_agent.model.address import DOCKER_HUB_NAMES
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import SecretAction, SecretPlan

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
    """What the cluster holds under the name. `payload` is the value of `.dockerconfigjson`, decoded."""

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


def registry_key(address: Address, key_form: KeyForm) -> str:
    """Return the key under `auths`: with its scheme for KubeSphere's console, bare for plain Kubernetes.

    Docker Hub's is always `https://index.docker.io/v1/`, with the trailing slash.
    """
    if address.is_docker_hub:
        return _DOCKER_HUB_KEY
    return address.url if key_form == "kubesphere" else address.entry


def dockerconfigjson(address: Address, credentials: Credentials, key_form: KeyForm) -> bytes:
    """Return the payload: compact UTF-8 JSON, the same bytes for the same arguments, all four fields.

    Raises UsageError for credentials that no registry can take.
    """
    auth = encoded_login(credentials).reveal()
    login = {
        "username": credentials.username,
        "password": credentials.password.reveal(),
        "email": credentials.email,
        "auth": auth,
    }
    document = {"auths": {registry_key(address, key_form): login}}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def secret_annotations(spec: SecretSpec) -> dict[str, str]:
    """Return the annotation that KubeSphere's console sets exactly where the key's scheme is http."""
    insecure = registry_key(spec.address, spec.key_form).startswith("http://")
    return {FORCE_INSECURE: "true"} if insecure else {}


def secret_manifest(spec: SecretSpec, namespace: str | None = None) -> dict[str, object]:
    """Return the manifest, password included."""
    metadata: dict[str, object] = {"name": spec.name}
    if namespace:
        metadata["namespace"] = namespace
    metadata["labels"] = {MANAGED_LABEL: MANAGER}
    if annotations := secret_annotations(spec):
        metadata["annotations"] = annotations
    payload = dockerconfigjson(spec.address, spec.credentials, spec.key_form)
    data = {PAYLOAD_KEY: base64.b64encode(payload).decode("ascii")}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": SECRET_TYPE, "data": data}


def applied_manifest(spec: SecretSpec, namespace: str, observed: ObservedSecret | None) -> dict[str, object]:
    """Return the manifest for server-side apply: what it names becomes ours, so a secret of others gets no label."""
    manifest = secret_manifest(spec, namespace)
    if observed is not None and not observed.is_ours:
        metadata = cast("dict[str, object]", manifest["metadata"])
        manifest = manifest | {"metadata": {key: value for key, value in metadata.items() if key != "labels"}}
    return manifest


def secret_manifest_text(spec: SecretSpec, namespace: str | None = None) -> str:
    """Return the manifest as a YAML document that starts with `---`."""
    import yaml  # noqa: PLC0415  (kept out of start-up)

    manifest = secret_manifest(spec, namespace)
    return str(yaml.safe_dump(manifest, explicit_start=True, sort_keys=False, allow_unicode=True, width=1000))


def plan_for(spec: SecretSpec, namespace: str, observed: ObservedSecret | None) -> SecretPlan:
    """Decide what to do with what the cluster holds; service accounts are not part of it.

    A secret of another type, an immutable one, and one that somebody else made for other registries too are
    refused. Any other of somebody else's is updated and keeps its labels, so that it stays theirs.
    """
    plan = SecretPlan(namespace=namespace, name=spec.name, outcome=Outcome.CHANGE)
    if observed is None:
        return replace(plan, action=SecretAction.CREATE, reason="there is no such secret yet")
    differences = _differences(spec, observed)
    problem = _refusal(spec, namespace, observed, differences)
    if problem:
        return replace(plan, outcome=Outcome.REFUSED, reason=problem.message, problem=problem, differences=differences)
    if not differences:
        return replace(plan, outcome=Outcome.UNCHANGED, reason="the secret is as wanted")
    owner = "" if observed.is_ours else "; it was made by somebody else and keeps its labels"
    reason = f"the secret differs: {', '.join(differences)}{owner}"
    return replace(plan, action=SecretAction.UPDATE, reason=reason, differences=differences)


def secret_patch(spec: SecretSpec, observed: ObservedSecret) -> dict[str, object]:
    """Return the JSON merge patch (RFC 7386) that makes `observed` as wanted and leaves everything else alone.

    It names the resource version, so that the API server answers 409 where somebody wrote in between.
    """
    metadata: dict[str, object] = {"annotations": {FORCE_INSECURE: None} | secret_annotations(spec)}
    if observed.resource_version:
        metadata["resourceVersion"] = observed.resource_version
    payload = dockerconfigjson(spec.address, spec.credentials, spec.key_form)
    return {"metadata": metadata, "data": {PAYLOAD_KEY: base64.b64encode(payload).decode("ascii")}}


def registry_hosts(observed: ObservedSecret) -> set[str]:
    """Return the registries that the secret holds logins for, as `host[:port]`; Docker Hub's is `docker.io`."""
    return {_bare(key) for key in _keys(observed.payload)}


def username_of(observed: ObservedSecret) -> str:
    """Return the user of the first login, "" where there is none that can be read."""
    first = next(iter(_logins(observed.payload).values()), None)
    user = first.get("username") if isinstance(first, dict) else None
    return user if isinstance(user, str) else ""


def not_ours(name: str, namespace: str) -> Problem:
    """Return why a secret is not removed."""
    return Problem(
        code="secret-not-ours",
        message=f"secret {name} in namespace {namespace} was made by somebody else and stays",
        hint=f"if nobody needs it: kubectl -n {namespace} delete secret {name}",
    )


def of_another_registry(name: str, namespace: str, observed: ObservedSecret, address: Address) -> Problem | None:
    """Return why the secret is not removed as that of `address`: it is another's by now, as after a move."""
    hosts = registry_hosts(observed)
    if not hosts or address.entry in hosts:
        return None
    return Problem(
        code="secret-of-another-registry",
        message=f"secret {name} in namespace {namespace} is for {', '.join(sorted(hosts))} and not {address}; it stays",
        hint=f"name its registry to remove it: --registry {min(hosts)}",
    )


def masked(text: str, spec: SecretSpec) -> str:
    """Return `text` without the password in any of the forms that a server could echo it in."""
    payload = dockerconfigjson(spec.address, spec.credentials, spec.key_form)
    forms = (
        base64.b64encode(payload).decode("ascii"),
        encoded_login(spec.credentials).reveal(),
        spec.credentials.password.reveal(),
    )
    for form in filter(None, forms):
        text = text.replace(form, "***")
    return text


def _differences(spec: SecretSpec, observed: ObservedSecret) -> tuple[str, ...]:
    wanted = json.loads(dockerconfigjson(spec.address, spec.credentials, spec.key_form))
    found = []
    if observed.type != SECRET_TYPE:
        found.append(f"its type is {observed.type}")
    elif _document(observed.payload) != wanted:
        key = registry_key(spec.address, spec.key_form)
        same_key = _keys(observed.payload) == {key}
        found += _changed_fields(_logins(observed.payload)[key], wanted["auths"][key]) if same_key else []
        found += [] if same_key else [f"registry key becomes {key}"]
    insecure = secret_annotations(spec).get(FORCE_INSECURE)
    if observed.annotations.get(FORCE_INSECURE) != insecure:
        found.append(f"annotation {FORCE_INSECURE} {'set' if insecure else 'removed'}")
    return tuple(found)


def _refusal(
    spec: SecretSpec, namespace: str, observed: ObservedSecret, differences: tuple[str, ...]
) -> Problem | None:
    what = f"secret {spec.name} in namespace {namespace}"
    replace_it = f"kubectl -n {namespace} delete secret {spec.name}, then run again; or choose another --secret-name"
    if observed.type != SECRET_TYPE:
        message = f"{what} exists with type {observed.type}, and a secret's type cannot change"
        return Problem(code="secret-type-mismatch", message=message, hint=replace_it)
    if not differences:
        return None
    if observed.immutable:
        message = f"{what} differs and is marked immutable"
        return Problem(code="secret-immutable", message=message, hint=replace_it)
    others = {key for key in _keys(observed.payload) if _bare(key) != _bare(registry_key(spec.address, "plain"))}
    if others and not observed.is_ours:
        message = f"{what} was made by somebody else and holds logins for {', '.join(sorted(others))}"
        return Problem(code="secret-of-another-owner", message=message, hint="choose another --secret-name")
    return None


def _document(payload: bytes | None) -> object:
    try:
        return json.loads(payload or b"null")
    except ValueError:
        return None


def _logins(payload: bytes | None) -> dict[str, object]:
    document = _document(payload)
    auths = document.get("auths") if isinstance(document, dict) else None
    return auths if isinstance(auths, dict) else {}


def _keys(payload: bytes | None) -> set[str]:
    return set(_logins(payload))


def _changed_fields(observed: object, wanted: dict[str, str]) -> list[str]:
    """Name what differs in a login, without values."""
    login = observed if isinstance(observed, dict) else {}
    fields = [field for field in ("username", "password", "email") if login.get(field) != wanted[field]]
    return [f"{field} changed" for field in fields] or ["login changed"]


def _bare(key: str) -> str:
    host = re.sub(r"\A[a-z]+://", "", key.lower()).partition("/")[0]
    return "docker.io" if host in DOCKER_HUB_NAMES else host
