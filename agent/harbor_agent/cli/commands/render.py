"""harbor-agent render."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.console import tell, write
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import build_request
from harbor_agent.errors import ExitCode, UsageError
from harbor_agent.model.policy import RouteChoice
from harbor_agent.views.text.style import render_problem

if TYPE_CHECKING:
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.model.plan import FileChange

app = options.command_app()


@app.command(epilog=options.examples("harbor-agent render --registry 192.168.0.99"))
@command
def render(
    *,
    registry: options.Registries = None,
    config: options.Config = None,
    plan_options: options.PlanOptions,
) -> ExitCode:
    """Print the systemd drop-in that the KubeSphere guide shows, for the registries named.

    It is what a node without any settings of its own would get. With --root it is what that tree would get: the
    whole text of each file that would change.
    """
    from harbor_agent.engine.plan.run_plan import plan_run, render_drop_in
    from harbor_agent.engine.request.resolve import resolve

    login = options.LoginOptions(registry=registry, config=config)
    request = build_request(options.NodeOptions(), login, plan_options, options.SecretOptions(), None)
    if request.root is None:
        if replace(plan_options, route=None) != options.PlanOptions() or plan_options.route is RouteChoice.DAEMON_JSON:
            raise UsageError.of(
                "flags-ambiguous", "without a tree only the drop-in can be printed", "name it with --root"
            )
        write(render_drop_in(resolve(request)).removesuffix("\n"))
        return ExitCode.DONE
    (planned,) = plan_run(request, Progress()).nodes
    return _render_tree(planned)


def _render_tree(planned: PlannedNode) -> ExitCode:
    from harbor_agent.engine.exit_codes import plan_exit_code

    for line in render_problem(planned.problem) if planned.problem else [planned.reason]:
        tell(line)
    changes = planned.decision.changes if planned.decision and not planned.problem else ()
    for change in changes:
        if len(changes) > 1:
            write(f"==> {change.path} <==")
        write(_text(change))
    return plan_exit_code([planned], None, pending=False)


def _text(change: FileChange) -> str:
    from harbor_agent.formats.redact import mask_text

    return mask_text(change.after.content or b"").removesuffix("\n")
