"""Opens the cluster for a proof by pods: the namespace, the rights, the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.proof.pods import PodProver
from harbor_agent.errors import AgentError, Problem, UsageError
from harbor_agent.formats.object_names import check_names
from harbor_agent.model.policy import CONTEXT_NAMESPACE
from harbor_agent.model.secret import Namespaces
from harbor_agent.planning.pods.manifest import CONTROLLER_ANNOTATION, PROOF_LABEL, list_images
from harbor_agent.planning.secrets.desired import build_namespaces

if TYPE_CHECKING:
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.engine.proof.pods import ProverOptions
    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.kubernetes.pods.proof import ProofPods

_TIMEOUT = 10.0


def open_prover(run_plan: RunPlan, options: ProverOptions, namespace: str | None) -> PodProver:
    """Return a prover by pods in `namespace`, or in the first one of the pull secret. Creates nothing yet.

    Raises UsageError if there is no image to pull, and AgentError if the cluster does not answer, or the user lacks a
    right.
    """
    if not any(list_images(policy) for policy in run_plan.policies):
        raise UsageError.of(
            "proof-image-missing",
            "a pod needs an image to pull, and no registry has verify_image",
            "name one with --verify-image, such as library/pause:3.9, or in harbor-agent.yaml",
        )
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - lightkube is slow to import
    from harbor_agent.kubernetes.nodes import ClusterNodes  # noqa: PLC0415 - as above
    from harbor_agent.kubernetes.pods.proof import ProofPods  # noqa: PLC0415 - as above

    cluster = open_cluster(run_plan.general.kubeconfig, run_plan.request.flags.context, timeout=_TIMEOUT)
    try:
        place = _find_namespace(cluster, run_plan, namespace)
        pods = ProofPods(cluster.client, place, label=PROOF_LABEL, annotation=CONTROLLER_ANNOTATION)
        _require_rights(pods)
    except AgentError:
        cluster.close()
        raise
    return PodProver(options, cluster, ClusterNodes(cluster.client, timeout=_TIMEOUT), pods)


def _require_rights(pods: ProofPods) -> None:
    """Raise AgentError if the user may not create pods and delete them again."""
    if missing := pods.find_missing_right():
        raise AgentError(missing)


def _find_namespace(cluster: Cluster, run_plan: RunPlan, namespace: str | None) -> str:
    """Return the namespace for the pods. Raises UsageError if its name is invalid or none is selected."""
    if namespace is not None:
        selection = Namespaces(names=(namespace,))
    else:
        registries = [image.registry for policy in run_plan.policies for image in list_images(policy)]
        secrets = [registry.secret for registry in registries if registry.secret]
        selection = build_namespaces(secrets[0]) if secrets else Namespaces(names=(CONTEXT_NAMESPACE,))
    found = cluster.namespaces(selection)
    if isinstance(found, Problem):
        raise AgentError(found)
    if not found:
        raise UsageError.of(
            "namespaces-none-match", f"no namespace matches {selection}, so pods have no place", "name one with -n"
        )
    if invalid := check_names(namespace=found[0]):
        raise UsageError(invalid)
    return found[0]
