"""The cause on nodes: the registry is asked from here, and each node pulls the image, configured or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.engine.diagnosis.causes import describe_cause, describe_unclear
from harbor_agent.engine.diagnosis.message import find_registry, quote
from harbor_agent.engine.diagnosis.registry import ask_registry, list_contrasts, list_registry_facts, sharpen
from harbor_agent.engine.diagnosis.report import Diagnosis, DiagnosisReport, DiagnosisStatus, RegistryView, Source
from harbor_agent.engine.diagnosis.subject import read_subject
from harbor_agent.engine.plan.nodes import open_transport
from harbor_agent.engine.plan.run_plan import plan_run
from harbor_agent.engine.proof.runtime import RuntimeProver
from harbor_agent.engine.request.request import RegistryFlags, RunRequest
from harbor_agent.engine.request.resolve import resolve
from harbor_agent.engine.secrets.logins import check_open_registries, split_image
from harbor_agent.errors import AgentError, UsageError
from harbor_agent.model.address import Address
from harbor_agent.model.result import Outcome, PullVerdict
from harbor_agent.model.workloads.template import PodContainer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.errors import Problem
    from harbor_agent.model.policy import Registry
    from harbor_agent.model.result import PullReport
    from harbor_agent.registry.anonymous.answer import AnonymousAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """An image of a registry, by its full name, and what the registry answered; None if it was asked with a login."""

    image: str
    registry: Registry
    answer: AnonymousAnswer | None


def diagnose_image(request: RunRequest, image: str, listener: Listener) -> DiagnosisReport:
    """Have every node of the request pull the image, and return what is wrong on each.

    The scheme of its registry is that of the options or of the settings, or http. A login that the registry itself
    rejects is the cause, and no node tries it. Without a login the registry is asked from here, without one too.
    Raises UsageError for a registry in the options that is another one.
    """
    address, name = _find_address(request, image), _complete_name(image)
    flags = replace(request.flags, addresses=(address.url,), verify_image=name)
    run_plan = plan_run(replace(request, flags=flags), listener)
    reference = f"{address.entry}/{name}"
    try:
        warnings = check_open_registries(run_plan.policies, run_plan.credentials)[0]
    except AgentError as error:
        refused = Diagnosis(
            status=DiagnosisStatus.FAILED, image=reference, registry=address.entry, problem=error.problem
        )
        return DiagnosisReport(source=Source.IMAGE, subject=image, diagnoses=(refused,), warnings=tuple(error.warnings))
    question = _ask(run_plan, address, reference)
    pulls = _pull(run_plan, listener)
    diagnoses = tuple(_judge(question, one, pulls.get(one.node.name)) for one in run_plan.nodes)
    return DiagnosisReport(
        source=Source.IMAGE,
        subject=image,
        diagnoses=diagnoses,
        warnings=(*warnings, *run_plan.warnings),
        registry=_view(question),
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


def _ask(run_plan: RunPlan, address: Address, reference: str) -> _Question:
    registry = next(one for one in run_plan.general.present if one.address.entry == address.entry)
    answer = None
    if address.entry not in run_plan.credentials:
        repository, tag = split_image(registry)
        answer = ask_registry(registry, repository or "", tag or "")
    return _Question(image=reference, registry=registry, answer=answer)


def _pull(run_plan: RunPlan, listener: Listener) -> dict[str, PullReport]:
    """Have every node that was probed pull the image; keys are node names."""
    probed = [one for one in run_plan.nodes if one.state is not None]
    prove = RuntimeProver(open_transport(run_plan.request.selection), run_plan.credentials, listener)
    return {name: check.pulls[0] for name, check in prove(probed).items() if check.pulls}


def _judge(question: _Question, planned: PlannedNode, pull: PullReport | None) -> Diagnosis:
    registry, node = question.registry, planned.node.name
    base = Diagnosis(
        status=DiagnosisStatus.FINE,
        image=question.image,
        registry=registry.address.entry,
        node=node,
        facts=tuple(_list_facts(planned)),
    )
    if planned.outcome is Outcome.SKIPPED:
        return replace(base, status=DiagnosisStatus.SKIPPED, said=planned.reason)
    if pull is None:
        is_unreachable = planned.outcome is Outcome.UNREACHABLE
        return replace(base, status=DiagnosisStatus.UNCLEAR, problem=planned.problem, is_unreachable=is_unreachable)
    if pull.verdict is PullVerdict.PULLED:
        return base
    if question.answer is not None:
        pull = sharpen(pull, registry, question.answer)
        base = replace(base, facts=(*base.facts, *list_contrasts(pull, question.answer)))
    subject = read_subject(pull.detail, question.image)
    base = replace(base, said=quote(pull.detail))
    if problem := describe_cause(pull, subject, node, registry.address):
        return replace(base, status=DiagnosisStatus.FAILED, problem=problem)
    if planned.problem:
        return replace(base, status=DiagnosisStatus.FAILED, problem=planned.problem, facts=())
    unclear = describe_unclear(f"node {node} cannot pull {question.image}, for no cause that harbor-agent knows")
    return replace(base, status=DiagnosisStatus.UNCLEAR, problem=unclear)


def _list_facts(planned: PlannedNode) -> Iterator[str]:
    """Yield what is in effect on the node: its runtime, what the plan found, and what it warns of."""
    if planned.state is None:
        return
    yield f"the runtime is {planned.runtime}"
    if planned.outcome is Outcome.PENDING:
        yield f"not configured; apply would change the node: {planned.reason}"
    elif planned.problem:
        yield f"a change would be refused: {planned.problem.message}"
    yield from (one.message for one in _list_warnings(planned))


def _list_warnings(planned: PlannedNode) -> Sequence[Problem]:
    return planned.decision.warnings if planned.decision else ()


def _view(question: _Question) -> RegistryView | None:
    answer, registry = question.answer, question.registry
    if answer is None:
        return None
    facts = list_registry_facts(registry, question.image, answer)
    return RegistryView(
        registry=registry.address.entry, scheme=answer.scheme, image=answer.shown.value, facts=tuple(facts)
    )
