"""harbor-agent apply."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from agent.cli import options
from agent.cli.guard import guarded
from agent.cli.output import Progress, tell, write, write_json
from agent.cli.plan import wished_policies
from agent.errors import ExitCode, StoppedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.engine.fleet import PlannedNode
    from agent.engine.runs import Report
    from agent.engine.secrets import SecretsReport


@guarded
def apply(
    *,
    nodes: options.NodeOptions,
    login: options.LoginOptions,
    wish: options.WishOptions,
    verify_image: options.VerifyImage = None,
    secret: options.SecretOptions,
    yes: options.Yes = False,
    output: options.Output = options.Format.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Change the nodes as planned, prove each by a real pull, then put the secret into the cluster.

    Shows the plan and asks first. A canary goes first; a node whose daemon does not come up well is put back.
    """
    from agent.engine.runs import apply_root, apply_run, plan_root, plan_run

    policies = wished_policies(login, wish, secret, verify_image)
    if wish.root is not None:
        planned = plan_root(policies, wish.root, wish.assume_docker_version)
        _confirm([planned], None, yes=yes)
        return finish(apply_root(wish.root, planned), output)
    progress = Progress(output, verbose)
    fleet = plan_run(policies, nodes.reach(), progress)
    _confirm(fleet.nodes, fleet.secrets, yes=yes)
    return finish(apply_run(fleet, progress), output)


def finish(report: Report, output: options.Format) -> ExitCode:
    """Print how a run ended; its last line sums up."""
    from agent.cli.plan_text import findings_text, run_summary, secrets_text
    from agent.engine.documents import run_document

    if output is options.Format.JSON:
        write_json(run_document(report))
        return report.exit_code
    if report.secrets is not None:
        write(secrets_text(report.secrets))
    if report.findings:
        write(findings_text(report.findings))
    write(f"{run_summary(report.results, report.halted)} (run {report.run_id})")
    return report.exit_code


def _confirm(nodes: Sequence[PlannedNode], secrets: SecretsReport | None, *, yes: bool) -> None:
    """Show the plan on standard error and ask, unless nothing would change. Raises StoppedError for a no."""
    from agent.cli.plan_text import plan_text
    from agent.model.result import Outcome

    tell(plan_text(nodes, secrets))
    pending = any(node.outcome is Outcome.CHANGE for node in nodes) or (secrets and secrets.status == "change")
    if yes or not pending:
        return
    if not sys.stdin.isatty():
        raise StoppedError.of(
            "not-confirmed", "there is no terminal to ask on, so nothing was changed", "run it with --yes"
        )
    if not typer.confirm("Apply this?", err=True):
        raise StoppedError.of("declined", "nothing was changed", "")
