"""harbor-agent secret apply | diff | remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from harbor_agent.cli import options, pod_options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.secret.group import app
from harbor_agent.cli.confirm import confirm
from harbor_agent.cli.console import print_json, print_result, print_status
from harbor_agent.cli.ending.notify import Notifier, Notify
from harbor_agent.cli.help import Panel, build_option, format_examples
from harbor_agent.cli.option_groups import LoginOptions, SecretOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import add_secret_flags, build_flags
from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from harbor_agent.engine.secrets.report import SecretsReport

DryRun = Annotated[bool, build_option(Panel.RUN, "--dry-run", "Show what would change; change nothing.")]


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
    dry_run: DryRun = False,
    retry_pods: pod_options.RetryPods = False,
    notify: Notify = None,
    yes: options.UnusedYes = False,  # noqa: ARG001 - see its help
    output: options.Output = options.Format.TEXT,
) -> ExitCode:
    """Check the login, then write the secret and attach it.

    Creates or updates the secret in every namespace, and attaches it to the service accounts. With --dry-run it shows
    what would change, as `secret diff` does.
    """
    from harbor_agent.engine.history.scopes import remember_scopes
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.secrets.commands import apply_pull_secrets, preview_pull_secrets

    flags = add_secret_flags(build_flags(login), secret)
    request = RunRequest(flags=flags, config=login.config, retry_pods=retry_pods)
    if dry_run:
        return _show_preview(preview_pull_secrets(resolve(request), check=True), output, pending=False)
    with Notifier("secret apply", notify, config=login.config) as notifier:
        report, exit_code = apply_pull_secrets(resolve(request), Progress(), remember_scopes)
        report = notifier.notify_cluster(report, exit_code)
    return _finish(report, exit_code, output)


@app.command(
    "diff",
    epilog=format_examples(
        "harbor-agent secret diff --registry 192.168.0.99 --username admin --password-file ./password -n demo",
        "harbor-agent secret diff -c harbor-agent.yaml --exit-code",
    ),
)
@command
@describe(
    registry="Registry that the secret is for (http:// assumed); repeatable.",
    username="User at the registry; not checked there.",
    kubeconfig="Kubeconfig of the cluster that is asked.",
    force_conflicts="Compare as if fields that other programs manage were overwritten.",
)
def diff(
    *,
    login: LoginOptions,
    secret: SecretOptions,
    exit_code: options.ExitCodeFlag = False,
    output: options.Output = options.Format.TEXT,
) -> ExitCode:
    """Show what `secret apply` would change; change nothing.

    The server tries the write as a dry run. Lists the changed keys of every namespace, and never a value.
    """
    from harbor_agent.engine.request.request import RunRequest
    from harbor_agent.engine.request.resolve import resolve
    from harbor_agent.engine.secrets.commands import preview_pull_secrets

    resolved = resolve(RunRequest(flags=add_secret_flags(build_flags(login), secret), config=login.config))
    return _show_preview(preview_pull_secrets(resolved, check=False), output, pending=exit_code)


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
    from harbor_agent.engine.history.scopes import forget_scopes
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
    return _finish(*remove_pull_secrets(resolved, forget_scopes), output)


def _finish(report: SecretsReport, exit_code: ExitCode, output: options.Format) -> ExitCode:
    """Print the outcome for each secret."""
    from harbor_agent.views.json.secrets import build_secret_document
    from harbor_agent.views.text.secrets import secrets_text

    if output is options.Format.JSON:
        print_json(build_secret_document(report, exit_code))
    else:
        print_result(secrets_text(report))
    return exit_code


def _show_preview(report: SecretsReport, output: options.Format, *, pending: bool) -> ExitCode:
    """Print the plan for each secret with its keys; returns the exit code of a plan."""
    from harbor_agent.engine.exit_codes import compute_plan_exit_code
    from harbor_agent.views.json.secrets import build_secret_document
    from harbor_agent.views.text.secrets import secrets_diff_text

    exit_code = compute_plan_exit_code([], report, pending=pending)
    if output is options.Format.JSON:
        print_json(build_secret_document(report, exit_code))
    else:
        print_result(secrets_diff_text(report))
    return exit_code


def _confirm_removal(plan: SecretsReport, *, yes: bool) -> None:
    """Show the removals on standard error and ask. Raises StoppedError for a no."""
    from harbor_agent.views.text.secrets import secrets_text

    print_status(secrets_text(plan))
    if plan.status == "change" and not yes:
        confirm("Remove these secrets?")
