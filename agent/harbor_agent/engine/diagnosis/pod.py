"""The cause in a pod: what kubelet says about each image, and for a refused login what the pod's secrets offer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.diagnosis.causes import describe_unclear, name_registry
from harbor_agent.engine.diagnosis.message import find_cause, find_registry, quote
from harbor_agent.engine.diagnosis.report import Diagnosis, DiagnosisReport, DiagnosisStatus, Source
from harbor_agent.engine.diagnosis.subject import is_about_pull
from harbor_agent.errors import AgentError, Problem, UsageError
from harbor_agent.formats.object_names import check_names
from harbor_agent.model.workloads.template import PodContainer
from harbor_agent.planning.pods.judge import has_image, is_waiting_for_image
from harbor_agent.planning.secrets.offers import judge_offer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.engine.request.resolve import Resolved
    from harbor_agent.formats.pull_secret import ObservedSecret
    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.model.address import Address
    from harbor_agent.model.workloads.pod import ObservedPod, PulledContainer

    Secrets = Mapping[str, ObservedSecret | Problem | None]

_REFUSED = "pull-unauthorized"
_NOT_TRIED = {
    "ErrImageNeverPull": "the image is not on the node, and imagePullPolicy is Never",
    "InvalidImageName": "the name of the image is not valid",
}
_NOT_TRIED_HINTS = {
    "ErrImageNeverPull": "set imagePullPolicy of the container to IfNotPresent",
    "InvalidImageName": "correct the name of the image in the workload",
}


def diagnose_pod(resolved: Resolved, namespace: str | None, name: str) -> DiagnosisReport:
    """Read the pod, and return why kubelet has not pulled each of its images. `namespace` None is the context's.

    Raises AgentError if the pod cannot be read, UsageError for a name that no pod has.
    """
    if invalid := check_names(namespace=namespace, pod=name):
        raise UsageError(invalid)
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - lightkube is slow to import
    from harbor_agent.kubernetes.pods.observed import add_events, read_pod  # noqa: PLC0415 - as above

    registries = [registry.address for registry in resolved.general.registries]
    with open_cluster(resolved.general.kubeconfig, resolved.request.flags.context) as cluster:
        pod = read_pod(cluster.client, namespace or cluster.client.namespace, name)
        if isinstance(pod, Problem):
            raise AgentError(pod)
        warnings: list[Problem] = []
        if not all(has_image(one.state) for one in pod.containers):
            with_events = add_events(cluster.client, pod)
            if isinstance(with_events, Problem):
                warnings.append(with_events)
            else:
                pod = with_events
        found = [_diagnose_container(pod, one, registries) for one in pod.containers]
        if any(_is_refused(one) for one in found):
            secrets = _read_secrets(cluster, pod)
            warnings += [one for one in secrets.values() if isinstance(one, Problem)]
            found = [
                add_secrets(one, pod, secrets, find_registry(one.registry, registries)) if _is_refused(one) else one
                for one in found
            ]
    return DiagnosisReport(
        source=Source.POD, subject=f"{pod.namespace}/{pod.name}", diagnoses=tuple(found), warnings=tuple(warnings)
    )


def add_secrets(diagnosis: Diagnosis, pod: ObservedPod, secrets: Secrets, known: Address | None) -> Diagnosis:
    """Return the diagnosis of a refused pull with what the pod's secrets offer; a Problem is one that was not read.

    `known` is the registry if the settings name it.
    """
    readable = {name: one for name, one in secrets.items() if not isinstance(one, Problem)}
    offers = [judge_offer(name, one, diagnosis.image) for name, one in readable.items()]
    facts = (*diagnosis.facts, *(one.clause for one in offers))
    registry, place = diagnosis.registry, f"-n {pod.namespace}"
    named = name_registry(registry, known)
    login = next((one for one in offers if one.has_login), None)
    if login is not None:
        user = login.username or "USER"
        problem = Problem(
            code=_REFUSED,
            message=f"{registry} refuses the login of secret {login.secret}, or it may not pull {diagnosis.image}",
            hint=f"check it: harbor-agent secret validate --registry {named} --username '{user}' "
            "--password-file FILE --verify-image REPO:TAG; then write the right one: harbor-agent secret apply "
            f"--registry {named} --username '{user}' --password-file FILE {place}",
        )
        return replace(diagnosis, problem=problem, facts=facts)
    if len(readable) < len(secrets):  # one that was not read may hold the login
        return replace(diagnosis, facts=facts)
    if not secrets:
        message = (
            f"pod {pod.namespace}/{pod.name} has no pull secret, and {registry} refuses {diagnosis.image} without one"
        )
    else:
        message = f"no pull secret of pod {pod.namespace}/{pod.name} has a login for {registry}"
    hint = (
        f"write one: harbor-agent secret apply --registry {named} {place} --service-account {pod.service_account} "
        "--username USER --password-file FILE; then create the pod again, because secrets are attached to new pods only"
    )
    return replace(diagnosis, problem=Problem(code="pod-without-login", message=message, hint=hint), facts=facts)


def _diagnose_container(pod: ObservedPod, one: PulledContainer, registries: Sequence[Address]) -> Diagnosis:
    state = one.state
    base = Diagnosis(
        status=DiagnosisStatus.FINE,
        image=one.image,
        registry=PodContainer(name=state.name, image=one.image).host,
        node=pod.node,
        container=state.name,
    )
    if has_image(state):
        return base
    if not is_waiting_for_image(state):
        return _diagnose_wait(base, pod, one)
    if state.reason in _NOT_TRIED:
        why = _NOT_TRIED[state.reason]
        problem = Problem(
            code="pod-pull-impossible",
            message=f"kubelet does not try to pull {one.image}: {why}",
            hint=_NOT_TRIED_HINTS[state.reason],
        )
        return replace(base, status=DiagnosisStatus.FAILED, problem=problem, said=quote(state.message))
    for text in (state.message, *filter(is_about_pull, one.events)):
        if found := find_cause(text, registries, image=one.image, node=pod.node):
            return replace(found, container=state.name)
    problem = describe_unclear(
        f"kubelet reports {state.reason} for {one.image}, and no text with a cause that is known"
    )
    said = quote(next(iter((*one.events, state.message)), ""))
    return replace(base, status=DiagnosisStatus.UNCLEAR, problem=problem, said=said)


def _diagnose_wait(base: Diagnosis, pod: ObservedPod, one: PulledContainer) -> Diagnosis:
    """Return the diagnosis of a container whose image kubelet has not tried to pull yet, or is pulling."""
    said = quote(next(iter((*one.events, *pod.events, one.state.message)), ""))
    if pod.node:
        return replace(base, status=DiagnosisStatus.WAITING, said=said)
    problem = Problem(
        code="pod-not-scheduled",
        message=f"pod {pod.namespace}/{pod.name} has no node yet, so no kubelet pulls its images",
        hint="read why the scheduler found none; it is not about the image",
    )
    return replace(base, status=DiagnosisStatus.FAILED, problem=problem, said=quote(pod.unscheduled) or said)


def _is_refused(diagnosis: Diagnosis) -> bool:
    return diagnosis.problem is not None and diagnosis.problem.code == _REFUSED


def _read_secrets(cluster: Cluster, pod: ObservedPod) -> Secrets:
    from harbor_agent.kubernetes.secrets import read_secret  # noqa: PLC0415 - lightkube is slow to import

    return {name: read_secret(cluster.client, pod.namespace, name) for name in dict.fromkeys(pod.pull_secrets)}
