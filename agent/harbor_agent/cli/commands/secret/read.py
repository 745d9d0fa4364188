"""harbor-agent secret render | show | validate: nothing is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.secret.group import app
from harbor_agent.cli.completion import complete_namespace
from harbor_agent.cli.console import print_document, print_json, print_result, print_status
from harbor_agent.cli.help import Panel, build_option, format_examples
from harbor_agent.cli.option_groups import LoginOptions, ManifestOptions, describe
from harbor_agent.cli.request import add_manifest_flags, build_flags
from harbor_agent.errors import ExitCode
from harbor_agent.views.text.style import render_warnings

OnlyIn = Annotated[
    list[str] | None,
    build_option(
        Panel.SECRET,
        "-n --namespace",
        "Show only this namespace; repeatable.",
        show_default="all",
        metavar="NAME",
        autocompletion=complete_namespace,
    ),
]


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
    "render",
    epilog=format_examples(
        "harbor-agent secret render --registry 192.168.0.99 --username admin --password-stdin -n demo <./password",
        "harbor-agent secret render -c harbor-agent.yaml | kubectl apply -f -",
    ),
)
@command
@describe(
    registry="Registry that the secret is for (http:// assumed); repeatable.",
    namespace="Namespace (KubeSphere: project) in the manifest; one manifest for each.",
)
def render(*, login: LoginOptions, manifest: ManifestOptions) -> ExitCode:
    """Print the secret's manifest, with the password in it.

    Contacts neither the registry nor the cluster. `kubectl apply` of it attaches the secret to no service account.
    """
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.secrets.commands import render_pull_secrets

    resolved = resolve(RunRequest(flags=add_manifest_flags(build_flags(login), manifest), config=login.config))
    print_document(render_pull_secrets(resolved).removesuffix("\n"))
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
