"""harbor-agent plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import options
from agent.cli.guard import guarded
from agent.cli.output import Progress, write, write_json
from agent.errors import ExitCode, Problem

if TYPE_CHECKING:
    from agent.engine.fleet import PlannedNode
    from agent.engine.request import Policies
    from agent.engine.secrets import SecretsReport

ExitCodeFlag = Annotated[bool, typer.Option("--exit-code", help="End with 3 where changes are pending.")]


@guarded
def plan(
    *,
    nodes: options.NodeOptions,
    login: options.LoginOptions,
    wish: options.WishOptions,
    verify_image: options.VerifyImage = None,
    secret: options.SecretOptions,
    exit_code: ExitCodeFlag = False,
    output: options.Output = options.Format.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Show what would change on every node, as exact diffs, and why. Changes nothing."""
    from agent.cli.plan_text import plan_text
    from agent.engine.documents import plan_document
    from agent.engine.runs import plan_root, plan_run
    from agent.engine.scoring import plan_exit_code

    policies = wished_policies(login, wish, secret, verify_image)
    planned: list[PlannedNode] = []
    secrets: SecretsReport | None = None
    findings: tuple[Problem, ...] = ()
    if wish.root is not None:
        planned = [plan_root(policies, wish.root, wish.assume_docker_version)]
    else:
        fleet = plan_run(policies, nodes.reach(), Progress(output, verbose))
        planned, secrets, findings = list(fleet.nodes), fleet.secrets, fleet.findings
    if output is options.Format.JSON:
        write_json(plan_document(planned, secrets, findings))
    else:
        write(plan_text(planned, secrets, findings))
    return plan_exit_code(planned, secrets, pending=exit_code)


def wished_policies(
    login: options.LoginOptions, wish: options.WishOptions, secret: options.SecretOptions, verify_image: str | None
) -> Policies:
    """Return the policies that plan and apply work with. Raises UsageError for what is wrong in them."""
    flags = replace(secret.added_to(login.flags()), absent=wish.absent, route=wish.route, verify_image=verify_image)
    return options.policies(login.config, flags, repair=wish.repair)
