"""The parts of a workload's pod template that matter for pull secrets, from a manifest or a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harbor_agent.model.workloads.kinds import CORE_GROUPS

if TYPE_CHECKING:
    from harbor_agent.model.address import Address

PULL_SECRETS_ANNOTATION: Final = "kubesphere.io/imagepullsecrets"
"""On a pod template, the pull secret of each container: `{container: secret}` in JSON. kubelet ignores it."""

EDITED_KINDS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob"})
"""The kinds whose containers KubeSphere's console edits. Jobs and pods are immutable, replica sets have an owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodContainer:
    """A container or init container; `image` is "" if the manifest does not set it."""

    name: str
    image: str = ""

    @property
    def names_host(self) -> bool:
        """Whether the image's name begins with a registry, as the runtime reads it."""
        host, slash, _ = self.image.partition("/")
        return bool(slash) and ("." in host or ":" in host or host == "localhost")

    @property
    def host(self) -> str:
        """The registry of the image: docker.io if its name has none, "" without an image."""
        if self.names_host:
            return self.image.partition("/")[0]
        return "docker.io" if self.image else ""

    def is_from(self, registry: Address) -> bool:
        """Whether the image is from this registry, as the runtime reads it."""
        return bool(self.image) and self.host == (registry.host if registry.is_docker_hub else registry.entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTemplate:
    """A pod template; `annotation` is the text of PULL_SECRETS_ANNOTATION or None. Init containers come last."""

    containers: tuple[PodContainer, ...]
    pull_secrets: tuple[str, ...] = ()
    annotation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A workload; `namespace` is "" if the manifest does not set it, `name` if the cluster generates it.

    `group` is the API group, "" for the core API.
    """

    kind: str
    namespace: str
    name: str
    template: PodTemplate
    group: str = ""

    @property
    def is_custom(self) -> bool:
        """Whether the kind is not one of Kubernetes itself; then KubeSphere's console does not edit it."""
        return self.group not in CORE_GROUPS

    @property
    def is_edited(self) -> bool:
        """Whether KubeSphere's console edits containers of this kind."""
        return self.kind in EDITED_KINDS and not self.is_custom

    def __str__(self) -> str:
        """Return `Deployment demo/web`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"
