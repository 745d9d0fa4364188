"""A workload's pod template, as far as pull secrets go: in a manifest or in a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harbor_agent.model.address import Address

PULL_SECRETS_ANNOTATION: Final = "kubesphere.io/imagepullsecrets"
"""On a pod template: which container has which pull secret, `{container: secret}` in JSON. kubelet ignores it."""

EDITED_KINDS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob"})
"""What KubeSphere's console edits containers of. Jobs and pods cannot be, and replica sets are somebody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodContainer:
    """A container or init container; `image` is "" where the manifest leaves it to something else."""

    name: str
    image: str = ""

    def is_from(self, registry: Address) -> bool:
        """Whether the image names this registry, as the runtime reads it: no host in front means Docker Hub."""
        host, slash, _ = self.image.partition("/")
        if not slash or not ("." in host or ":" in host or host == "localhost"):
            return bool(self.image) and registry.is_docker_hub
        return host.lower() == registry.entry


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTemplate:
    """`annotation` is the text of PULL_SECRETS_ANNOTATION, None where there is none; init containers come last."""

    containers: tuple[PodContainer, ...]
    pull_secrets: tuple[str, ...] = ()
    annotation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """`namespace` is "" where a manifest leaves it open, `name` where the cluster is to make one up."""

    kind: str
    namespace: str
    name: str
    template: PodTemplate

    def __str__(self) -> str:
        """Return `Deployment demo/web`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"
