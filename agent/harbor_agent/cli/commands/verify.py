"""harbor-agent verify."""

from __future__ import annotations

from dataclasses import replace

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.apply import print_report
from harbor_agent.cli.help import command_app, format_examples
from harbor_agent.cli.option_groups import LoginOptions, NodeOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import build_flags, build_selection
from harbor_agent.errors import ExitCode

app = command_app()


@app.command(
    epilog=format_examples(
        "harbor-agent verify -i inventory.ini --registry 192.168.0.99 --verify-image library/pause:3.9",
        "harbor-agent verify -i inventory.ini --limit @failed",
        "harbor-agent verify -i inventory.ini --login",
    )
)
@command
@describe(
    registry="Registry to check (http:// assumed); repeatable. Restricts the check to the registries given.",
    username="User that the nodes pull the image with.",
    verify_image="Image that every node pulls from the registry.",
)
def verify(
    *,
    nodes: NodeOptions,
    login: LoginOptions,
    verify_image: options.VerifyImage = None,
    login_too: options.LoginToo = False,
    output: options.Output = options.Format.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Check that every node trusts the registry and can pull.

    Reads the registry list of the running daemon and pulls the image. Changes nothing; an image that was not there
    before is removed again. With --login, each node also logs in as docker login does, and keeps nothing of it.
    """
    from harbor_agent.engine.plan.run_plan import plan_run
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.rollout.run import verify_run

    progress = Progress(verbose)
    request = RunRequest(
        selection=build_selection(nodes),
        flags=replace(build_flags(login), verify_image=verify_image),
        config=login.config,
    )
    return print_report(verify_run(plan_run(request, progress), progress, with_login=login_too), output)
