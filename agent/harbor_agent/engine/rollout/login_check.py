"""Logins that the nodes themselves try, as `docker login` does, and that leave nothing on them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from harbor_agent.engine.proof.meanings import find_hint
from harbor_agent.errors import Problem
from harbor_agent.model.result import Outcome, PullVerdict
from harbor_agent.node.wire import programs as wire
from harbor_agent.transport.protocol import Job, decode_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.model.inventory import Node
    from harbor_agent.model.policy import Credentials, Policy, Registry
    from harbor_agent.model.result import NodeResult, PullReport
    from harbor_agent.transport.protocol import Completed, Lost, Transport

_TIMEOUT = 90.0
_CHECK_LOGIN = "check user and password, and that the account is not locked or expired"


@dataclass(slots=True, kw_only=True)
class LoginCheck:
    """The logins of one node: the registries at which they succeeded, and the problem of the first that failed.

    `unproven` are the registries at which the node's runtime cannot log in.
    """

    succeeded: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    problem: Problem | None = None


def check_node_logins(
    transport: Transport, nodes: Sequence[tuple[Node, Policy, str]], credentials: Mapping[str, Credentials]
) -> dict[str, LoginCheck]:
    """Log in at each registry that has a login, from each node with the runtime named, one registry after another.

    Keys are node names. The first node goes first: a login that is rejected there is not tried on the others, which
    could lock the account.
    """
    checks = {node.name: LoginCheck() for node, _, _ in nodes}
    registries = dict.fromkeys(r for _, policy, _ in nodes for r in policy.present if r.address.entry in credentials)
    for registry in registries:
        concerned = [(node, runtime) for node, policy, runtime in nodes if registry in policy.present]
        _check_registry(transport, concerned, registry, credentials[registry.address.entry], checks)
    return checks


def add_login_check(result: NodeResult, check: LoginCheck, takes_any: frozenset[str]) -> NodeResult:
    """Return the result with what the node's own logins proved; an earlier failure stays the reason."""
    if check.problem and result.problem is None:
        problem = check.problem
        return replace(result, outcome=Outcome.FAILED, logged_in=False, problem=problem, reason=problem.message)
    clauses = [result.reason]
    proven = [entry for entry in check.succeeded if entry not in takes_any]
    clauses += [f"docker login to {', '.join(proven)} succeeded"] if proven else []
    clauses += [
        f"docker login to {entry} succeeded, but it takes any user and password: the login is not proven"
        for entry in check.succeeded
        if entry in takes_any
    ]
    clauses += [f"login to {', '.join(check.unproven)} not tried: only Docker logs in"] if check.unproven else []
    is_proven = proven == check.succeeded and proven and not check.unproven and check.problem is None
    logged_in = True if is_proven else None
    return replace(result, logged_in=logged_in, reason="; ".join(clauses))


def describe_untried_logins(checks: Mapping[str, LoginCheck]) -> list[Problem]:
    """Return a warning for each registry at which the runtime of some nodes cannot log in."""
    untried: dict[str, list[str]] = {}
    for name, check in checks.items():
        for entry in check.unproven:
            untried.setdefault(entry, []).append(name)
    return [
        Problem(
            code="login-not-tried",
            message=f"no login at {entry} was tried on {', '.join(names)}: only Docker logs in",
            hint="name a private image with --verify-image: its pull proves the login on every runtime",
        )
        for entry, names in untried.items()
    ]


def _check_registry(
    transport: Transport,
    nodes: Sequence[tuple[Node, str]],
    registry: Registry,
    login: Credentials,
    checks: Mapping[str, LoginCheck],
) -> None:
    jobs = []
    for node, runtime in nodes:
        program = wire.build_login_program(runtime, registry.address, login)
        if program is None:
            checks[node.name].unproven.append(registry.address.entry)
        else:
            jobs.append(Job(node=node, program=program, timeout=_TIMEOUT))
    # The first alone: if it is rejected, the others would only count as further attempts.
    for result in transport.run(jobs[:1]):
        if _note_result(registry, result, checks) == "login-rejected":
            name = result.job.node.name
            for job in jobs[1:]:
                check = checks[job.node.name]
                check.problem = check.problem or _build_untried(registry, name)
            return
    for result in transport.run(jobs[1:]):
        _note_result(registry, result, checks)


def _note_result(registry: Registry, result: Completed | Lost, checks: Mapping[str, LoginCheck]) -> str:
    """Add what one node's login proved to its check; return the code of its problem, "" if it succeeded."""
    answer = decode_answer(result, partial(wire.decode_pull, registry=registry.address))
    problem = answer if isinstance(answer, Problem) else _judge(registry, answer)
    check = checks[result.job.node.name]
    if problem is None:
        check.succeeded.append(registry.address.entry)
        return ""
    check.problem = check.problem or problem
    return problem.code


def _build_untried(registry: Registry, name: str) -> Problem:
    message = f"docker login to {registry.address} was not tried here, because it was rejected on {name}"
    return Problem(code="login-rejected", message=message, hint=_CHECK_LOGIN)


def _judge(registry: Registry, report: PullReport) -> Problem | None:
    if report.verdict is PullVerdict.PULLED:
        return None
    message = f"docker login to {registry.address} failed: {report.detail}"
    if report.verdict is PullVerdict.UNAUTHORIZED:
        return Problem(code="login-rejected", message=message, hint=_CHECK_LOGIN)
    return Problem(code=report.code, message=message, hint=find_hint(report))
