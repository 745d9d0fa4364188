"""The results of the commands about the cluster's DNS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.errors import ExitCode, Problem
from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from harbor_agent.model.dns import DnsEntry, DnsPlan, RecordedEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedState:
    """An entry that this tool added, and whether the server's Corefile still has it.

    `edited`: another program changed the text since.
    """

    recorded: RecordedEntry
    present: bool
    edited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport:
    """One DNS server, such as `deployment/coredns`: its plan, and what applying it resulted in.

    `objection` is why `apply` will refuse the change without consent; only a plan that is shown has it. `proven` says
    what was seen of the new Corefile's effect, `unproven` why it is not known to be in effect everywhere.
    """

    name: str
    plan: DnsPlan
    outcome: Outcome
    problem: Problem | None = None
    unproven: Problem | None = None
    proven: tuple[str, ...] = ()
    recorded: tuple[RecordedState, ...] = ()
    objection: Problem | None = None

    def find_objection(self) -> Problem | None:
        """Return why the planned change needs consent, None if it does not."""
        if self.outcome is not Outcome.PENDING or not self.plan.restarts:
            return None
        return Problem(
            code="dns-no-reload",
            message=f"{self.name} would restart its pods, because its Corefile has no reload",
            hint="add the line 'reload' to the Corefile, or add --accept-restart",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsReport:
    """The DNS servers of the cluster, in the order in which they are changed.

    They should answer the entries `present`, and have none of ours for the names `absent`. `problem` is why the cluster
    could not be read; then there are no servers. `cluster` is `Cluster.server`. `run_id` and `warnings` are those of a
    run that changed DNS only.
    """

    servers: tuple[ServerReport, ...]
    present: tuple[DnsEntry, ...] = ()
    absent: tuple[str, ...] = ()
    problem: Problem | None = None
    cluster: str = ""
    run_id: str = ""
    warnings: tuple[Problem, ...] = ()

    def note_objections(self) -> DnsReport:
        """Return the report with what `apply` will refuse unless the user consents: a restart of DNS pods."""
        return replace(self, servers=tuple(replace(one, objection=one.find_objection()) for one in self.servers))

    def refuse_unconsented(self) -> DnsReport:
        """Refuse every server whose pods would restart."""
        return replace(
            self,
            servers=tuple(
                replace(one, outcome=Outcome.REFUSED, problem=problem) if (problem := one.find_objection()) else one
                for one in self.servers
            ),
        )

    @property
    def is_pending(self) -> bool:
        """Whether a plan has changes."""
        return any(server.outcome is Outcome.PENDING for server in self.servers)

    def find_obstacle(self, *, accept_unproven: bool) -> Problem | None:
        """Return why nothing that needs these names may follow: a server was not changed, or it is not proven."""
        if self.problem:
            return self.problem
        for server in self.servers:
            if server.problem:
                return server.problem
            if server.unproven and not accept_unproven:
                return server.unproven
        return None

    def compute_exit_code(self, *, pending: bool = False, accept_unproven: bool = False) -> ExitCode:
        """Return the exit code; pending changes count only with `pending` (`--exit-code`)."""
        outcomes = {server.outcome for server in self.servers}
        if self.problem:
            return ExitCode.FAILED
        if Outcome.ROLLBACK_FAILED in outcomes:
            return ExitCode.NEEDS_INTERVENTION
        unproven = any(server.unproven for server in self.servers) and not accept_unproven
        if unproven or outcomes & {Outcome.FAILED, Outcome.ROLLED_BACK}:
            return ExitCode.FAILED
        if Outcome.REFUSED in outcomes:
            return ExitCode.REFUSED
        return ExitCode.PENDING if pending and Outcome.PENDING in outcomes else ExitCode.DONE
