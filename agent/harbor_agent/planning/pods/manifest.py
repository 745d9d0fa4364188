"""The manifest of a pod that proves a pull on one node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.policy import Policy, Registry

PROOF_LABEL: Final = "harbor-agent/proof"  # on each such pod: the run that created it
CONTROLLER_ANNOTATION: Final = "harbor-agent/controller"
LIFETIME_SECONDS: Final = 600  # kubelet ends a pod that a killed run left
_DEFAULT_ACCOUNT = "default"
_USER = 65534
# A quota may ask for both. A program that needs more is ended, which says nothing about the pull.
_REQUESTS = {"cpu": "1m", "memory": "4Mi"}
_LIMITS = {"cpu": "100m", "memory": "32Mi"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PullLogin:
    """How a pod gets the login: from its service account, or from the secrets that it names."""

    service_account: str = _DEFAULT_ACCOUNT
    secrets: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it as a clause."""
        if self.secrets:
            return f"secret {', '.join(self.secrets)}"
        return f"the secrets of service account {self.service_account}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofImage:
    """An image to pull in the container `name`."""

    name: str
    registry: Registry

    @property
    def reference(self) -> str:
        """The image as a pod names it."""
        return f"{self.registry.address.entry}/{self.registry.verify_image}"


def list_images(policy: Policy) -> tuple[ProofImage, ...]:
    """Return the image of each registry that has one to verify with."""
    verifiable = [registry for registry in policy.present if registry.verify_image]
    return tuple(ProofImage(name=f"image-{place}", registry=registry) for place, registry in enumerate(verifiable))


def choose_login(images: Sequence[ProofImage]) -> PullLogin:
    """Return how the pod gets its logins.

    A pod that names no secret gets those of its service account, so that is preferred: it proves the attachment too.
    If not every secret is attached to one account, the pod names them, and gets none from the account.
    """
    secrets = [image.registry.secret for image in images if image.registry.secret]
    first = secrets[0].service_accounts if secrets else ()
    shared = [name for name in first if all(name in secret.service_accounts for secret in secrets)]
    if shared or not secrets:
        return PullLogin(service_account=(shared or [_DEFAULT_ACCOUNT])[0])
    return PullLogin(secrets=tuple(dict.fromkeys(secret.name for secret in secrets)))


def build_proof_pod(
    images: Sequence[ProofImage], *, node: str, node_uid: str, run_id: str, controller: str
) -> dict[str, object]:
    """Return the manifest of a pod on `node`, as Pod Security Standard "restricted" requires it.

    Its owner is the Node object, as that of a static pod's mirror: it goes with the node, and a drain evicts it.
    """
    login = choose_login(images)
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    containers = [
        {
            "name": image.name,
            "image": image.reference,
            # An image that is on the node already proves nothing.
            "imagePullPolicy": "Always",
            "securityContext": security,
            "resources": {"requests": _REQUESTS, "limits": _LIMITS},
        }
        for image in images
    ]
    owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": node_uid, "controller": True}
    return {
        "metadata": {
            "generateName": "harbor-agent-proof-",
            "labels": {PROOF_LABEL: run_id, "app.kubernetes.io/managed-by": "harbor-agent"},
            "annotations": {CONTROLLER_ANNOTATION: controller},
            "ownerReferences": [owner],
        },
        "spec": {
            "nodeName": node,
            "tolerations": [{"operator": "Exists"}],
            "restartPolicy": "Never",
            "activeDeadlineSeconds": LIFETIME_SECONDS,
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "serviceAccountName": login.service_account,
            **({"imagePullSecrets": [{"name": name} for name in login.secrets]} if login.secrets else {}),
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": containers,
        },
    }
