"""harbor-agent secret apply | render | validate."""

from __future__ import annotations

from dataclasses import replace

import typer

from agent.cli import options
from agent.cli.guard import guarded
from agent.cli.output import problem_lines, tell, write, write_json
from agent.errors import ExitCode

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The cluster's pull secret; touches no node.")


@app.command(
    "apply",
    epilog=options.examples(
        "harbor-agent secret apply --registry 192.168.0.99 --username admin --password-file ./password -n demo"
    ),
)
@guarded
def apply(
    *, login: options.LoginOptions, secret: options.SecretOptions, output: options.Output = options.Format.TEXT
) -> ExitCode:
    """Check the login, then create or update the secret in every namespace and attach it."""
    from agent.cli.plan_text import secrets_text
    from agent.engine.documents import secrets_run_document
    from agent.engine.pull_secrets import apply_pull_secrets
    from agent.engine.request import Asked
    from agent.engine.runs import policies_of

    policies = policies_of(Asked(flags=secret.added_to(login.flags()), config=login.config))
    report, exit_code = apply_pull_secrets(policies)
    if output is options.Format.JSON:
        write_json(secrets_run_document(report, exit_code))
    else:
        write(secrets_text(report))
    return exit_code


@app.command(
    "render",
    epilog=options.examples(
        "harbor-agent secret render --registry 192.168.0.99 --username admin --password-stdin -n demo <./password"
    ),
)
@guarded
def render(*, login: options.LoginOptions, secret: options.SecretOptions) -> ExitCode:
    """Print the manifest, password included, for kubectl apply -f -. Asks neither registry nor cluster."""
    from agent.engine.pull_secrets import render_pull_secrets
    from agent.engine.request import Asked
    from agent.engine.runs import policies_of

    policies = policies_of(Asked(flags=secret.added_to(login.flags()), config=login.config))
    write(render_pull_secrets(policies).removesuffix("\n"))
    return ExitCode.DONE


@app.command(
    "validate",
    epilog=options.examples(
        "harbor-agent secret validate --registry 192.168.0.99 --username admin --password-stdin <./password"
    ),
)
@guarded
def validate(*, login: options.LoginOptions, verify_image: options.VerifyImage = None) -> ExitCode:
    """Ask the registry whether the login is right, and with an image whether it may be pulled."""
    from agent.engine.pull_secrets import validate_logins
    from agent.engine.request import Asked
    from agent.engine.runs import policies_of

    policies = policies_of(Asked(flags=replace(login.flags(), verify_image=verify_image), config=login.config))
    for finding in validate_logins(policies):
        tell("\n".join(problem_lines(finding)))
    write("the login is right")
    return ExitCode.DONE
