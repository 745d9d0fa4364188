"""Notifies the receivers of `--notify` or of the settings at the end of a run, also if it ends with an error."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Self, TypeVar

from harbor_agent.cli.console import print_status
from harbor_agent.cli.ending.exit_code import find_exit_code
from harbor_agent.cli.help import Panel, build_option
from harbor_agent.errors import AgentError, ExitCode, Problem
from harbor_agent.views.text.style import render_warnings

if TYPE_CHECKING:
    from types import TracebackType

    from harbor_agent.engine.dns.report import DnsReport
    from harbor_agent.engine.drift.detect import DriftReport
    from harbor_agent.engine.reports.report import Report
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.secrets.report import SecretsReport
    from harbor_agent.views.json.common import Json
    from harbor_agent.views.notification.document import Origin

Part = TypeVar("Part", bound="DnsReport | SecretsReport")
Notify = Annotated[
    str | None,
    build_option(
        Panel.OUTPUT,
        "--notify",
        "At the end, post a summary to this URL; one with a token in it comes from file:FILE or env:NAME.",
        metavar="URL",
        show_default="notify in the settings",
    ),
]
# The user who declined, or whom the command could not ask, knows; a lock is held by a run that notifies on its own.
_UNSENT = frozenset({"declined", "not-confirmed"})
_UNSENT_CODES = frozenset({ExitCode.LOCKED, ExitCode.INTERRUPTED})


@dataclass(slots=True)
class Notifier:
    """A run whose end is sent once: by one of the methods before the report is printed, or as an error.

    `config` is the settings file, None for the default one. A receiver that takes no message is a warning, and never
    changes the run.
    """

    command: str
    option: str | None
    inventories: tuple[str, ...] = ()
    config: str | None = None
    _is_sent: bool = field(default=False, init=False)

    def __enter__(self) -> Self:
        """Check `--notify`. Raises UsageError."""
        if self.option is not None:
            from harbor_agent.engine.notify.receivers import list_sources

            list_sources(self.option, None)
        return self

    def follow(self, request: RunRequest) -> None:
        """Take inventory and settings from a plan file or an earlier run."""
        self.inventories, self.config = request.selection.sources, request.config

    def notify(self, report: Report) -> Report:
        """Send how a run ended; return the report with a warning for each receiver that did not take it."""
        from harbor_agent.views.notification.document import build_run_notification

        warnings = self._send(build_run_notification(report, self._describe_origin()))
        return replace(report, warnings=(*report.warnings, *warnings))

    def notify_cluster(self, part: Part, code: ExitCode) -> Part:
        """Send what became of the cluster's DNS or pull secrets; return the report with warnings, as `notify`."""
        from harbor_agent.views.notification.document import build_cluster_notification

        warnings = self._send(build_cluster_notification(part, code, self._describe_origin()))
        return replace(part, warnings=(*part.warnings, *warnings))

    def notify_drift(
        self, report: DriftReport, code: ExitCode, ended: Report | None, blocked_by: Problem | None
    ) -> DriftReport:
        """Send what a drift check found or corrected, nothing if all is in order; return the report with warnings."""
        from harbor_agent.views.notification.document import build_drift_notification

        document = build_drift_notification(report, code, ended, blocked_by, self._describe_origin())
        self._is_sent = True
        warnings = self._send(document) if document else ()
        return replace(report, warnings=(*report.warnings, *warnings))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Send the error that ends the run before it had a report."""
        if error is None or self._is_sent:
            return
        code, problem = find_exit_code(error), _describe(error)
        if code in _UNSENT_CODES or problem.code in _UNSENT:
            return
        from harbor_agent.views.notification.document import build_error_notification

        warnings = self._send(build_error_notification(problem, code, self._describe_origin()))
        if warnings:
            print_status("\n".join(render_warnings(warnings)))

    def _send(self, document: Json) -> tuple[Problem, ...]:
        from harbor_agent.engine.notify.receivers import list_sources, open_receiver

        self._is_sent = True
        try:
            sources = list_sources(self.option, self.config)
        except AgentError:  # the run itself reports what is wrong with the settings
            return ()
        receivers = [open_receiver(source) for source in sources]
        if not receivers:
            return ()
        from harbor_agent.engine.notify.send import send
        from harbor_agent.views.notification.messages import build_message

        outcomes = [
            one if isinstance(one, Problem) else send(one, lambda receiver, now: build_message(receiver, document, now))
            for one in receivers
        ]
        return tuple(problem for problem in outcomes if problem)

    def _describe_origin(self) -> Origin:
        from harbor_agent.local.user import describe_user
        from harbor_agent.views.notification.document import Origin

        return Origin(command=self.command, controller=describe_user(), inventories=self.inventories)


def _describe(error: BaseException) -> Problem:
    """Return the problem of an error; of a bug only its kind, because its message may quote a secret."""
    if isinstance(error, AgentError):
        return error.problem
    code = find_exit_code(error)
    if code is ExitCode.BUG:
        return Problem(code="bug", message=f"bug in harbor-agent: {type(error).__name__}")
    return Problem(code="interrupted", message="terminated")
