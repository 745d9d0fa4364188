"""harbor-agent secret apply | show | render | validate | remove."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.confirm import confirm
from harbor_agent.cli.console import print_json, print_result, print_status
from harbor_agent.cli.help import Panel, build_option, command_app, format_examples
from harbor_agent.cli.option_groups import LoginOptions, SecretOptions, describe
from harbor_agent.cli.request import add_secret_flags, build_flags
from harbor_agent.errors import ExitCode
from harbor_agent.views.text.style import render_warnings

if TYPE_CHECKING:
    from harbor_agent.engine.secrets.report import SecretsReport

app = command_app(
    no_args_is_help=True,
    help="Manage the pull secret in the cluster; no node is changed.",
    epilog=format_examples(
        "harbor-agent secret validate --registry 192.168.0.99 --username admin --password-stdin <./password",
        "harbor-agent secret apply --registry 192.168.0.99 --username admin --password-file ./password -n demo",
        "harbor-agent secret show -n demo",
    ),
)

OnlyIn = Annotated[
    list[str] | None,
    build_option(
        Panel.SECRET, "-n --namespace", "Show only this namespace; repeatable.", show_default="all", metavar="NAME"
    ),
]


@app.command(
    "apply",
    epilog=format_examples(
        "harbor-agent secret apply --registry 192.168.0.99 --username admin --password-file ./password -n demo",
        "harbor-agent secret apply -c harbor-agent.yaml",
    ),
)
@command
@describe(
    registry="Registry that the secret is for (http:// assumed); repeatable.",
    username="User at the registry; checked there before the secret is written.",
)
def apply(
    *,
    login: LoginOptions,
    secret: SecretOptions,
    yes: options.UnusedYes = False,  # noqa: ARG001 - see its help
    output: options.Output = options.Format.TEXT,
) -> ExitCode:
    """Check the login, then write the secret and attach it.

    Creates or updates the secret in every namespace, and attaches it to the service accounts.
    """
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.secrets.commands import apply_pull_secrets

    resolved = resolve(RunRequest(flags=add_secret_flags(build_flags(login), secret), config=login.config))
    return _finish(*apply_pull_secrets(resolved), output)


@app.command(
    "render",
    epilog=format_examples(
        "harbor-agent secret render --registry 192.168.0.99 --username admin --password-stdin -n demo <./password",
        "harbor-agent secret render -c harbor-agent.yaml | kubectl apply -f -",
    ),
)
@command
@describe(
    registry="Registry that the secret is for (http:// assumed); repeatable.",
    service_account="Ignored; `kubectl apply` does not attach the secret.",
    kubeconfig="Ignored; the cluster is not contacted.",
    context="Ignored; the cluster is not contacted.",
    force_conflicts="Ignored; the cluster is not contacted.",
)
def render(*, login: LoginOptions, secret: SecretOptions) -> ExitCode:
    """Print the secret's manifest, with the password in it.

    Contacts neither the registry nor the cluster.
    """
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.secrets.commands import render_pull_secrets

    resolved = resolve(RunRequest(flags=add_secret_flags(build_flags(login), secret), config=login.config))
    print_result(render_pull_secrets(resolved).removesuffix("\n"))
    return ExitCode.DONE


@app.command(
    "validate",
    epilog=format_examples(
        "harbor-agent secret validate --registry 192.168.0.99 --username admin --password-stdin <./password",
        "harbor-agent secret validate -c harbor-agent.yaml --verify-image library/pause:3.9",
    ),
)
@command
@describe(
    registry="Registry to ask (http:// assumed); repeatable.",
    username="User to check.",
    verify_image="Image of the registry; also checks that the user may pull it.",
)
def validate(*, login: LoginOptions, verify_image: options.VerifyImage = None) -> ExitCode:
    """Check user and password at the registry; change nothing.

    Exit code 3: a registry lets anybody in, so the login was not verified.
    """
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.secrets.commands import validate_logins

    resolved = resolve(RunRequest(flags=replace(build_flags(login), verify_image=verify_image), config=login.config))
    warnings, unproven = validate_logins(resolved)
    for line in render_warnings(warnings):
        print_status(line)
    if unproven:
        print_result(f"Login: not verified, because it was not requested by {', '.join(map(str, unproven))}")
        return ExitCode.PENDING
    print_result("Login: valid")
    return ExitCode.DONE


@app.command("show", epilog=format_examples("harbor-agent secret show", "harbor-agent secret show -n demo -o json"))
@command
@describe(kubeconfig="Kubeconfig of the cluster that is read.")
def show(
    *,
    config: options.Config = None,
    namespace: OnlyIn = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Output = options.Format.TEXT,
) -> ExitCode:
    """List the secrets that harbor-agent created."""
    from harbor_agent.engine.request.request import RegistryFlags, RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.secrets.commands import list_secrets
    from harbor_agent.views.json.secrets import build_secrets_document
    from harbor_agent.views.text.secrets import shown_secrets_text

    flags = RegistryFlags(kubeconfig=kubeconfig, context=context)
    shown = list_secrets(resolve(RunRequest(flags=flags, config=config)), namespace or ())
    if output is options.Format.JSON:
        print_json(build_secrets_document(shown))
    else:
        print_result(shown_secrets_text(shown))
    return ExitCode.DONE


@app.command(
    "remove",
    epilog=format_examples(
        "harbor-agent secret remove --registry 192.168.0.99 -n demo",
        "harbor-agent secret remove -c harbor-agent.yaml --yes",
    ),
)
@command
@describe(
    registry="Registry whose secret is removed (http:// assumed); repeatable.",
    namespace="Namespace (KubeSphere: project) to remove it from, '*' for all; repeatable.",
    kubeconfig="Kubeconfig of the cluster that holds the secret.",
)
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
    """Remove the secret, and detach it from service accounts.

    Removes only what harbor-agent created. Shows it and asks for confirmation.
    """
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
    """Print the outcome for each secret."""
    from harbor_agent.views.json.secrets import build_secret_document
    from harbor_agent.views.text.secrets import secrets_text

    if output is options.Format.JSON:
        print_json(build_secret_document(report, exit_code))
    else:
        print_result(secrets_text(report))
    return exit_code


def _confirm_removal(plan: SecretsReport, *, yes: bool) -> None:
    """Show the removals on standard error and ask. Raises StoppedError for a no."""
    from harbor_agent.views.text.secrets import secrets_text

    print_status(secrets_text(plan))
    if plan.status == "change" and not yes:
        confirm("Remove these secrets?")
