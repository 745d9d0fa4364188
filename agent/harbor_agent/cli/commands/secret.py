"""harbor-agent secret apply | show | render | validate | remove."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.confirm import confirm
from harbor_agent.cli.console import tell, write, write_json
from harbor_agent.cli.request import add_secret_flags, build_flags
from harbor_agent.errors import ExitCode
from harbor_agent.views.text.style import render_problem

if TYPE_CHECKING:
    from harbor_agent.engine.secrets.report import SecretsReport

app = options.command_app(no_args_is_help=True, help="The cluster's pull secret; touches no node.")

OnlyIn = Annotated[
    list[str] | None,
    typer.Option("-n", "--namespace", help="Only in this one; repeatable.", show_default="all", metavar="NAME"),
]


@app.command(
    "apply",
    epilog=options.examples(
        "harbor-agent secret apply --registry 192.168.0.99 --username admin --password-file ./password -n demo"
    ),
)
@command
def apply(
    *, login: options.LoginOptions, secret: options.SecretOptions, output: options.Output = options.Format.TEXT
) -> ExitCode:
    """Check the login, then create or update the secret in every namespace and attach it."""
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.secrets.commands import apply_pull_secrets

    resolved = resolve(RunRequest(flags=add_secret_flags(build_flags(login), secret), config=login.config))
    return _finish(*apply_pull_secrets(resolved), output)


@app.command(
    "render",
    epilog=options.examples(
        "harbor-agent secret render --registry 192.168.0.99 --username admin --password-stdin -n demo <./password"
    ),
)
@command
def render(*, login: options.LoginOptions, secret: options.SecretOptions) -> ExitCode:
    """Print the manifest, password included, for kubectl apply -f -. Asks neither registry nor cluster."""
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.secrets.commands import render_pull_secrets

    resolved = resolve(RunRequest(flags=add_secret_flags(build_flags(login), secret), config=login.config))
    write(render_pull_secrets(resolved).removesuffix("\n"))
    return ExitCode.DONE


@app.command(
    "validate",
    epilog=options.examples(
        "harbor-agent secret validate --registry 192.168.0.99 --username admin --password-stdin <./password"
    ),
)
@command
def validate(*, login: options.LoginOptions, verify_image: options.VerifyImage = None) -> ExitCode:
    """Ask the registry whether the login is right, and with an image whether it may be pulled."""
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.secrets.commands import validate_logins

    resolved = resolve(RunRequest(flags=replace(build_flags(login), verify_image=verify_image), config=login.config))
    for warning in validate_logins(resolved):
        tell("\n".join(render_problem(warning)))
    write("the login is right")
    return ExitCode.DONE


@app.command("show", epilog=options.examples("harbor-agent secret show", "harbor-agent secret show -n demo -o json"))
@command
def show(
    *,
    config: options.Config = None,
    namespace: OnlyIn = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Output = options.Format.TEXT,
) -> ExitCode:
    """List the secrets that harbor-agent made, in all namespaces or those named; without passwords."""
    from harbor_agent.engine.request.request import RegistryFlags, RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.secrets.commands import shown_secrets
    from harbor_agent.views.json.secrets import build_secrets_document
    from harbor_agent.views.text.plan import shown_secrets_text

    flags = RegistryFlags(kubeconfig=kubeconfig, context=context)
    shown = shown_secrets(resolve(RunRequest(flags=flags, config=config)), namespace or ())
    if output is options.Format.JSON:
        write_json(build_secrets_document(shown))
    else:
        write(shown_secrets_text(shown))
    return ExitCode.DONE


@app.command("remove", epilog=options.examples("harbor-agent secret remove --registry 192.168.0.99 -n demo"))
@command
def remove(
    *,
    registry: options.Registries = None,
    config: options.Config = None,
    secret_name: options.SecretName = None,
    namespace: options.Namespaces = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    yes: options.Yes = False,
    output: options.Output = options.Format.TEXT,
) -> ExitCode:
    """Take out just what harbor-agent made: the secret, and its place in service accounts. Shows it and asks first."""
    from harbor_agent.engine.request.request import RegistryFlags, RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.secrets.commands import plan_secret_removal, remove_pull_secrets

    flags = RegistryFlags(
        addresses=tuple(registry or ()),
        secret_name=secret_name,
        namespaces=tuple(namespace or ()),
        kubeconfig=kubeconfig,
        context=context,
    )
    resolved = resolve(RunRequest(flags=flags, config=config))
    _confirm_removal(plan_secret_removal(resolved), yes=yes)
    return _finish(*remove_pull_secrets(resolved), output)


def _finish(report: SecretsReport, exit_code: ExitCode, output: options.Format) -> ExitCode:
    """Print what became of the secrets."""
    from harbor_agent.views.json.secrets import build_secret_document
    from harbor_agent.views.text.plan import secrets_text

    if output is options.Format.JSON:
        write_json(build_secret_document(report, exit_code))
    else:
        write(secrets_text(report))
    return exit_code


def _confirm_removal(plan: SecretsReport, *, yes: bool) -> None:
    """Show what goes on standard error and ask. Raises StoppedError for a no."""
    from harbor_agent.views.text.plan import secrets_text

    tell(secrets_text(plan))
    if plan.status == "change" and not yes:
        confirm("Remove this?")
