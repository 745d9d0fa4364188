"""harbor-agent init."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.commands.init import questions
from harbor_agent.cli.console import print_result, print_status
from harbor_agent.cli.help import Panel, build_option, command_app, format_examples
from harbor_agent.cli.option_groups import LoginOptions, ManifestOptions, describe
from harbor_agent.cli.request import add_manifest_flags, build_flags
from harbor_agent.errors import ExitCode
from harbor_agent.views.text.style import render_warnings

if TYPE_CHECKING:
    from harbor_agent.engine.request.discovery import ShownCluster
    from harbor_agent.engine.request.request import RegistryFlags
    from harbor_agent.errors import Problem

app = command_app()

File = Annotated[
    str | None,
    typer.Argument(help="File to write; ./harbor-agent.yaml if omitted.", metavar="FILE", show_default=False),
]
PasswordEnv = Annotated[
    str | None,
    build_option(
        Panel.REGISTRY,
        "--password-env",
        "Environment variable that will have the password.",
        metavar="NAME",
        show_default=questions.PASSWORD_ENV,
    ),
]


@app.command(
    epilog=format_examples(
        "harbor-agent init",
        "harbor-agent init -i inventory.ini --registry 192.168.0.99 --verify-image library/pause:3.9",
    )
)
@command
@describe(
    inventory="Inventory to describe in comments of the file; repeatable.",
    registry="Registry (http:// assumed); repeatable.",
    username="User at the registry; asks for no password.",
    password_file="Name FILE as the one with the password; it is not read.",  # noqa: S106 - a help text
    kubeconfig="Kubeconfig to name in the file; its cluster is described in comments.",
    namespace="Namespace (KubeSphere: project) of the pull secret, '*' for all; repeatable.",
    yes="Ask nothing, also on a terminal.",
)
def init(
    file: File = None,
    *,
    inventory: options.Inventory = None,
    registry: options.Registries = None,
    ca_file: options.CaFile = None,
    username: options.Username = None,
    password_env: PasswordEnv = None,
    password_file: options.PasswordFile = None,
    verify_image: options.VerifyImage = None,
    route: options.RouteOption = None,
    runtime: options.RuntimeOption = None,
    manifest: ManifestOptions,
    service_account: options.ServiceAccounts = None,
    kubeconfig: options.Kubeconfig = None,
    yes: options.Yes = False,
) -> ExitCode:
    """Write a commented harbor-agent.yaml; never overwrites one.

    On a terminal, asks for what the options do not say. The file has the effect of the same options, and no password.
    Reads the inventory and the cluster if they are named; contacts no node and no registry.
    """
    from harbor_agent.engine.request.first_file import choose_file, write_first_file

    path = choose_file(file)
    login = LoginOptions(registry=registry, username=username, password_file=password_file, ca_file=ca_file)
    flags = replace(
        add_manifest_flags(build_flags(login), manifest),
        verify_image=verify_image,
        route=route,
        runtime=runtime,
        service_accounts=tuple(service_account or ()),
        kubeconfig=kubeconfig,
    )
    notes = _describe_inventory(inventory or [])
    asks = sys.stdin.isatty() and not yes
    if asks:
        flags = questions.ask_kubeconfig(questions.ask_registry(flags))
    cluster = _describe_cluster(flags)
    if asks:
        flags, password_env = questions.ask_login(flags, password_env)
        flags = questions.ask_namespaces(flags, cluster)
    if flags.username and not flags.password_file:
        password_env = password_env or questions.PASSWORD_ENV
    for line in render_warnings(write_first_file(path, flags, password_env, [*notes, *cluster.notes])):
        print_status(line)
    print_result(f"wrote {path}")
    print_status(
        f"next: harbor-agent plan {''.join(f'-i {source} ' for source in inventory or ['INVENTORY'])}-c {path}"
    )
    return ExitCode.DONE


def _describe_inventory(sources: list[str]) -> tuple[str, ...]:
    if not sources:
        return ()
    from harbor_agent.engine.request.discovery import describe_inventory

    return describe_inventory(sources, _warn)


def _describe_cluster(flags: RegistryFlags) -> ShownCluster:
    from harbor_agent.engine.request.discovery import ShownCluster, describe_cluster

    if flags.kubeconfig is None:
        return ShownCluster()
    cluster = describe_cluster(flags.kubeconfig)
    for problem in cluster.problems:
        _warn(problem)
    return cluster


def _warn(problem: Problem) -> None:
    for line in render_warnings([problem]):
        print_status(line)
