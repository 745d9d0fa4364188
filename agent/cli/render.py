"""harbor-agent render."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.cli import options
from agent.cli.guard import guarded
from agent.cli.output import Progress, problem_lines, tell, write
from agent.errors import ExitCode, UsageError
from agent.model.policy import RouteChoice

if TYPE_CHECKING:
    from agent.engine.fleet import PlannedNode
    from agent.model.plan import FileChange

app = options.program_part()


@app.command(epilog=options.examples("harbor-agent render --registry 192.168.0.99"))
@guarded
def render(
    *,
    registry: options.Registries = None,
    config: options.Config = None,
    wish: options.WishOptions,
) -> ExitCode:
    """Print the systemd drop-in that the KubeSphere guide shows, for the registries named.

    It is what a node without any settings of its own would get. With --root it is what that tree would get: the
    whole text of each file that would change.
    """
    from agent.engine.plans import plan_run, policies_of, render_drop_in

    login = options.LoginOptions(registry=registry, config=config)
    asked = options.asked(options.NodeOptions(), login, wish, options.SecretOptions(), None)
    if asked.root is None:
        if replace(wish, route=None) != options.WishOptions() or wish.route is RouteChoice.DAEMON_JSON:
            raise UsageError.of(
                "flags-ambiguous", "without a tree only the drop-in can be printed", "name it with --root"
            )
        write(render_drop_in(policies_of(asked)).removesuffix("\n"))
        return ExitCode.DONE
    (planned,) = plan_run(asked, Progress(options.Format.TEXT)).nodes
    return _render_tree(planned)


def _render_tree(planned: PlannedNode) -> ExitCode:
    from agent.engine.scoring import plan_exit_code

    for line in problem_lines(planned.problem) if planned.problem else [planned.reason]:
        tell(line)
    changes = planned.decision.changes if planned.decision and not planned.problem else ()
    for change in changes:
        if len(changes) > 1:
            write(f"==> {change.path} <==")
        write(_text(change))
    return plan_exit_code([planned], None, pending=False)


def _text(change: FileChange) -> str:
    from agent.planning.diff import masked_text

    return masked_text(change.after.content or b"").removesuffix("\n")
