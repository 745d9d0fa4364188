"""harbor-agent render."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.console import print_document, print_status
from harbor_agent.cli.help import command_app, format_examples
from harbor_agent.cli.option_groups import LoginOptions, NodeOptions, PlanOptions, SecretOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import build_request
from harbor_agent.errors import ExitCode, UsageError
from harbor_agent.model.policy import RouteChoice
from harbor_agent.views.text.style import render_problem

if TYPE_CHECKING:
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.model.plan import FileChange

app = command_app()


@app.command(
    epilog=format_examples(
        "harbor-agent render --registry 192.168.0.99",
        "harbor-agent render --root ./image-tree --registry 192.168.0.99",
    )
)
@command
@describe(
    registry="Registry to trust (http:// assumed); repeatable.",
    root="Print the files that would change in the unpacked image in DIR.",
    absent="Print the files without the registry; requires --registry and --root.",
)
def render(
    *,
    registry: options.Registries = None,
    config: options.Config = None,
    plan_options: PlanOptions,
) -> ExitCode:
    """Print the systemd drop-in for the registries.

    It is the drop-in of the KubeSphere guide, as a node without Docker settings would get it. With --root, prints the
    full text of each file that would change in that tree.
    """
    from harbor_agent.engine.plan.run_plan import plan_run, render_drop_in
    from harbor_agent.engine.request.resolve import resolve

    login = LoginOptions(registry=registry, config=config)
    request = build_request(NodeOptions(), login, plan_options, SecretOptions(), None)
    if request.root is None:
        if replace(plan_options, route=None) != PlanOptions() or plan_options.route is RouteChoice.DAEMON_JSON:
            raise UsageError.of("flags-ambiguous", "without --root, only the drop-in can be printed", "add --root DIR")
        print_document(render_drop_in(resolve(request)).removesuffix("\n"))
        return ExitCode.DONE
    (planned,) = plan_run(request, Progress()).nodes
    return _render_tree(planned)


def _render_tree(planned: PlannedNode) -> ExitCode:
    from harbor_agent.engine.exit_codes import compute_plan_exit_code

    for line in render_problem(planned.problem) if planned.problem else [planned.reason]:
        print_status(line)
    changes = planned.decision.changes if planned.decision and not planned.problem else ()
    for change in changes:
        if len(changes) > 1:
            print_document(f"==> {change.path} <==")
        print_document(_render_file(change))
    return compute_plan_exit_code([planned], None, pending=False)


def _render_file(change: FileChange) -> str:
    from harbor_agent.formats.redact import mask_text

    return mask_text(change.after.content or b"").removesuffix("\n")
