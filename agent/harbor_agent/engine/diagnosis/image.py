"""The cause on nodes: each of them pulls the image as `verify` has it pull, after the registry was asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.diagnosis.message import find_registry
from harbor_agent.engine.diagnosis.report import Diagnosis, DiagnosisReport, DiagnosisStatus, Source
from harbor_agent.engine.plan.run_plan import plan_run
from harbor_agent.engine.request.request import RegistryFlags, RunRequest
from harbor_agent.engine.request.resolve import resolve
from harbor_agent.engine.rollout.run import verify_run
from harbor_agent.engine.rollout.stop import StopRequest
from harbor_agent.errors import AgentError, UsageError
from harbor_agent.model.address import Address
from harbor_agent.model.result import Outcome
from harbor_agent.model.workloads.template import PodContainer

if TYPE_CHECKING:
    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.model.result import NodeResult

_UNKNOWN = (Outcome.UNREACHABLE, Outcome.UNKNOWN)


def diagnose_image(request: RunRequest, image: str, listener: Listener) -> DiagnosisReport:
    """Have every node of the request pull the image, and return what is wrong on each.

    The scheme of its registry is that of the options or of the settings, or http. A login that the registry itself
    rejects is the cause, and no node tries it. Raises UsageError for a registry in the options that is another one.
    """
    address, name = _find_address(request, image), _complete_name(image)
    flags = replace(request.flags, addresses=(address.url,), verify_image=name)
    run_plan = plan_run(replace(request, flags=flags), listener)
    reference = f"{address.entry}/{name}"
    try:
        report = verify_run(run_plan, listener, StopRequest())
    except AgentError as error:
        if not error.problem.code.startswith("registry-"):
            raise
        refused = Diagnosis(
            status=DiagnosisStatus.FAILED, image=reference, registry=address.entry, problem=error.problem
        )
        return DiagnosisReport(source=Source.IMAGE, subject=image, diagnoses=(refused,), warnings=tuple(error.warnings))
    plans = {one.node.name: one for one in run_plan.nodes}
    whole = Diagnosis(status=DiagnosisStatus.FINE, image=reference, registry=address.entry)
    return DiagnosisReport(
        source=Source.IMAGE,
        subject=image,
        diagnoses=tuple(_judge_node(whole, one, plans.get(one.node)) for one in report.results),
        warnings=report.warnings,
        verify_exit_code=report.exit_code,
    )


def _find_address(request: RunRequest, image: str) -> Address:
    host = PodContainer(name="", image=image).host
    named = request.flags.parse_addresses()
    if named:
        if found := find_registry(host, named):
            return found
        message = f"--registry names {named[0].entry}, and {image} is an image of {host}"
        raise UsageError.of("flags-ambiguous", message, "leave out --registry, or name the registry of the image")
    resolved = resolve(RunRequest(flags=RegistryFlags(), config=request.config))
    known = [registry.address for registry in resolved.general.present]
    return find_registry(host, known) or Address.parse(host)


def _complete_name(image: str) -> str:
    """Return repository and tag or digest, as `verify_image` has them; without a tag it is `latest`."""
    name = image.partition("/")[2] if PodContainer(name="", image=image).names_host else image
    return name if ":" in name or "@" in name else f"{name}:latest"


def _judge_node(whole: Diagnosis, result: NodeResult, planned: PlannedNode | None) -> Diagnosis:
    status = DiagnosisStatus.FAILED
    if result.outcome is Outcome.SKIPPED:
        status = DiagnosisStatus.SKIPPED
    elif result.outcome in _UNKNOWN:
        status = DiagnosisStatus.UNCLEAR
    elif result.verified:
        status = DiagnosisStatus.FINE
    return replace(
        whole,
        node=result.node,
        status=status,
        problem=result.problem,
        said="" if result.problem else result.reason,
        facts=tuple(_list_facts(planned)),
    )


def _list_facts(planned: PlannedNode | None) -> list[str]:
    """Return what is in effect on the node: its runtime, what the plan found, and what it warns of."""
    if planned is None or planned.state is None:
        return []
    warnings = planned.decision.warnings if planned.decision else ()
    return [f"the runtime is {planned.runtime}", *(one.message for one in warnings)]
