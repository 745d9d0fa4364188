"""Which container runtime a node's kubelet uses: pods trust the registries of that one, and of no other.

Kubernetes 1.24 removed dockershim (https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/);
containerRuntimeEndpoint came into its configuration file with 1.27.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.plan import Action

if TYPE_CHECKING:
    from harbor_agent.model.kubelet import Kubelet
    from harbor_agent.model.plan import Plan

_OPTION = "--container-runtime-endpoint"
_CONTAINERD = "/run/containerd/containerd.sock"
_K3S_CONTAINERD = "/run/k3s/containerd/containerd.sock"
_K3S_SHIM = "/run/k3s/cri-dockerd/cri-dockerd.sock"
_DOCKER_SOCKETS = ("dockershim.sock", "cri-dockerd.sock")
_WITHOUT_DOCKERSHIM = (1, 24)
_K3S = re.compile(r"(^|/)k3s(-server|-agent)?( |$)")
_VERSION = re.compile(r"(\d+)\.(\d+)")
# k3s and RKE2 start containerd, and kubelet reports that.
_REPORTED = {"k3s": "containerd", "rke2": "containerd"}
_NAMES = {"docker": "Docker", "containerd": "containerd", "cri-o": "CRI-O"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRuntime:
    """The runtime, other than the planned one, that kubelet uses. `source` is the socket, or the cluster's report."""

    name: str
    source: str


def find_other_runtime(kubelet: Kubelet) -> OtherRuntime | None:
    """Return the runtime that kubelet uses; None if it is Docker or if that cannot be determined."""
    endpoint = _find_endpoint(kubelet)
    if endpoint is None or not endpoint.startswith("/") or _is_docker(kubelet, endpoint):
        return None
    return OtherRuntime(name=_name_runtime(kubelet, endpoint), source=endpoint)


def find_used_runtime(kubelet: Kubelet) -> OtherRuntime | None:
    """Return the runtime that kubelet uses, Docker too; None if that cannot be determined."""
    endpoint = _find_endpoint(kubelet)
    if endpoint is not None and _is_docker(kubelet, endpoint):
        return OtherRuntime(name=_NAMES["docker"], source=endpoint)
    return find_other_runtime(kubelet)


def uses_docker(kubelet: Kubelet) -> bool:
    """Whether kubelet uses Docker; true as well if its endpoint cannot be determined."""
    return find_other_runtime(kubelet) is None


def uses_socket(kubelet: Kubelet, path: str) -> bool:
    """Whether kubelet uses the runtime that listens on this socket, under any of its names."""
    endpoint = _find_endpoint(kubelet)
    if endpoint is None or _is_docker(kubelet, endpoint):
        return False
    path = normalize_endpoint(path)
    identities = {normalize_endpoint(name): identity for name, identity in kubelet.sockets.items()}
    own = identities.get(endpoint)
    return endpoint == path or (own is not None and own == identities.get(path))


def read_reported_runtime(version: str, planned: str = "docker") -> OtherRuntime | None:
    """Return the runtime of a Node's `status.nodeInfo.containerRuntimeVersion`; None if it is planned or unknown."""
    name, separator, _ = version.partition("://")
    if not separator or name == _REPORTED.get(planned, planned):
        return None
    return OtherRuntime(name=_NAMES.get(name, name), source=version)


def build_refusal(other: OtherRuntime, planned: str) -> Problem:
    """Return why a change of the planned runtime is refused on this node."""
    name = _NAMES.get(planned, planned)
    return Problem(
        code="kubelet-uses-docker" if other.name == _NAMES["docker"] else "kubelet-uses-containerd",
        message=f"kubelet on this node uses {other.name} ({other.source}), not {name}: "
        f"no pod would use what is changed in {name}",
        hint=f"configure the registry in that runtime; to change {name} all the same, add --runtime {planned} or set "
        f"harbor_runtime: {planned} for the node",
    )


def build_warning(other: OtherRuntime, planned: str) -> Problem:
    """Return what a change of the planned runtime does not do on this node."""
    name = _NAMES.get(planned, planned)
    return Problem(
        code="kubelet-uses-docker" if other.name == _NAMES["docker"] else "kubelet-uses-containerd",
        message=f"kubelet on this node uses {other.name} ({other.source}), not {name}: this change concerns no pod",
        hint="if pods pull from the registry, configure it in that runtime too",
    )


def find_unwatched_restart(plan: Plan, kubelet: Kubelet) -> tuple[Problem, ...]:
    """Return the warning about a restart after which kubelet cannot be asked whether it is well."""
    if kubelet.answers_for_health or plan.activation.action is not Action.RESTART:
        return ()
    return (
        Problem(
            code="kubelet-health-off",
            message="healthzPort of kubelet is 0, so it is not asked whether it is well after the restart",
            hint="check that the node is Ready after the change; with a healthzPort, a change that harms kubelet is "
            "rolled back",
        ),
    )


def _find_endpoint(kubelet: Kubelet) -> str | None:
    """Return the path of the socket that kubelet uses, None if unknown."""
    if _K3S.search(kubelet.argv[0]):
        return _find_endpoint_of_k3s(kubelet)
    runtime = _find_option(kubelet, "--container-runtime")
    version = _VERSION.search(kubelet.version)
    is_older = version is not None and (int(version[1]), int(version[2])) < _WITHOUT_DOCKERSHIM
    if runtime == "docker" or (is_older and runtime != "remote"):
        return f"/run/{_DOCKER_SOCKETS[0]}"
    given = _find_option(kubelet, _OPTION) or next(reversed(kubelet.configured_endpoints), None)
    if given:
        return normalize_endpoint(given)
    return None if version is None or is_older else _CONTAINERD


def _find_endpoint_of_k3s(kubelet: Kubelet) -> str | None:
    """Return the socket of k3s, which starts containerd or, with --docker, cri-dockerd on its own."""
    if given := _find_option(kubelet, _OPTION):
        return normalize_endpoint(given)
    if "--docker" in kubelet.argv or _K3S_SHIM in kubelet.sockets:
        return _K3S_SHIM
    return _K3S_CONTAINERD if _K3S_CONTAINERD in kubelet.sockets else None


def _find_option(kubelet: Kubelet, name: str) -> str | None:
    """Return the last value of an option, given with "=" or as the next word; None if it is not given."""
    found = None
    for word, following in zip(kubelet.argv, (*kubelet.argv[1:], ""), strict=True):
        if word == name:
            found = following
        elif word.startswith(f"{name}="):
            found = word.partition("=")[2]
    return found


def normalize_endpoint(endpoint: str) -> str:
    """Return an endpoint without its scheme, below /run rather than /var/run."""
    path = endpoint.removeprefix("unix://")
    return path.removeprefix("/var") if path.startswith("/var/run/") else path


def _is_docker(kubelet: Kubelet, endpoint: str) -> bool:
    shims = {normalize_endpoint(shim) for shim in kubelet.shim_endpoints}
    if endpoint.rpartition("/")[2] in _DOCKER_SOCKETS or endpoint in shims:
        return True
    identities = {normalize_endpoint(path): identity for path, identity in kubelet.sockets.items()}
    own = identities.get(endpoint)
    return own is not None and any(
        identity == own and (path in shims or path.rpartition("/")[2] in _DOCKER_SOCKETS)
        for path, identity in identities.items()
    )


def _name_runtime(kubelet: Kubelet, endpoint: str) -> str:
    if "crio" in endpoint:
        return "CRI-O"
    own = kubelet.sockets.get(endpoint)
    known = {kubelet.sockets.get(path) for path in (_CONTAINERD, _K3S_CONTAINERD)} - {None}
    return "containerd" if "containerd" in endpoint or own in known else "another runtime"
