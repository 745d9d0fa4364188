"""harbor-agent verify."""

from __future__ import annotations

from dataclasses import replace

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.apply import finish
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import build_flags, build_selection
from harbor_agent.errors import ExitCode

app = options.command_app()


@app.command(
    epilog=options.examples(
        "harbor-agent verify -i inventory.ini --registry 192.168.0.99 --verify-image library/pause:3.9"
    )
)
@command
def verify(
    *,
    nodes: options.NodeOptions,
    login: options.LoginOptions,
    verify_image: options.VerifyImage = None,
    output: options.Output = options.Format.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Prove every node: ask its live daemon for its registry list, and pull the image. Changes nothing."""
    from harbor_agent.engine.plan.run_plan import plan_run
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.rollout.run import verify_run

    progress = Progress(verbose)
    request = RunRequest(
        selection=build_selection(nodes),
        flags=replace(build_flags(login), verify_image=verify_image),
        config=login.config,
    )
    run_plan = plan_run(request, progress)
    return finish(verify_run(run_plan, progress), output)
