"""The options that several commands share: one definition, one help text."""

from __future__ import annotations

import enum
import sys
from typing import Annotated, Literal

import typer

from agent.engine.configuration import load_configuration
from agent.engine.credentials import read_password
from agent.engine.request import Policies, Reach, RegistryFlags
from agent.errors import UsageError
from agent.model.policy import RouteChoice
from agent.model.sensitive import Sensitive

NODES = "Nodes"
REGISTRY = "Registry"
CLUSTER = "Cluster"


class Format(enum.StrEnum):
    """What the result looks like on standard output."""

    TEXT = "text"
    JSON = "json"


class TransportName(enum.StrEnum):
    """How nodes are reached."""

    SSH = "ssh"
    LOCAL = "local"


class KeyFormName(enum.StrEnum):
    """How the secret names its registry."""

    KUBESPHERE = "kubesphere"
    PLAIN = "plain"


Inventory = Annotated[
    list[str] | None,
    typer.Option(
        "-i",
        "--inventory",
        help="Ansible inventory: file, directory or 'host1,host2,'; repeatable.",
        metavar="SOURCE",
    ),
]
Limit = Annotated[
    str | None, typer.Option("--limit", help="Only these hosts or groups (Ansible's patterns).", metavar="PATTERN")
]
Registries = Annotated[
    list[str] | None,
    typer.Option(
        "--registry",
        help="Registry address, http implied; repeatable. Restricts the run to it.",
        metavar="HOST[:PORT]",
    ),
]
Config = Annotated[
    str | None,
    typer.Option("-c", "--config", help="Settings file; ./harbor-agent.yaml if it is there.", metavar="FILE"),
]
TransportOption = Annotated[
    TransportName, typer.Option("--transport", help="ssh to the inventory, or local: this machine alone.")
]
RouteOption = Annotated[
    RouteChoice | None,
    typer.Option("--route", help="Where the setting goes; auto decides per node and says why.", show_default="auto"),
]
Forks = Annotated[int, typer.Option("--forks", min=1, help="Nodes at a time while looking.", metavar="N")]
Output = Annotated[Format, typer.Option("-o", "--output", help="text for people, json for programs.")]
Absent = Annotated[bool, typer.Option("--absent", help="Take the registry out instead (name it with --registry).")]
Repair = Annotated[bool, typer.Option("--repair", help="Also mend what would otherwise be refused; see the diff.")]
Root = Annotated[
    str | None,
    typer.Option("--root", help="An unpacked file system tree instead of nodes; files only.", metavar="DIR"),
]
AssumedVersion = Annotated[
    str | None, typer.Option("--assume-docker-version", help="dockerd's version in --root.", metavar="V")
]
Verbose = Annotated[int, typer.Option("-v", "--verbose", count=True, help="Say more on standard error.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
VerifyImage = Annotated[
    str | None,
    typer.Option(
        "--verify-image", help="Image that each node pulls as proof, without the address.", metavar="REPO:TAG"
    ),
]
Kubeconfig = Annotated[str | None, typer.Option("--kubeconfig", help="Cluster to put the secret into.", metavar="FILE")]
Context = Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.", metavar="NAME")]
Namespaces = Annotated[
    list[str] | None, typer.Option("-n", "--namespace", help="Namespace of the secret; repeatable.", metavar="NAME")
]
ServiceAccounts = Annotated[
    list[str] | None,
    typer.Option("--service-account", help="Attach the secret to this account; repeatable.", metavar="NAME"),
]
SecretName = Annotated[str | None, typer.Option("--secret-name", help="Name of the pull secret.", metavar="NAME")]
Username = Annotated[str | None, typer.Option("--username", help="User at the registry.", metavar="USER")]
Email = Annotated[str | None, typer.Option("--email", help="E-mail in the secret.", metavar="ADDRESS")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
PasswordFile = Annotated[
    str | None, typer.Option("--password-file", help="Read the password from a file.", metavar="FILE")
]
KeyForm = Annotated[
    KeyFormName | None,
    typer.Option(
        "--key-form", help="The registry's name in the secret: with its scheme, or plain.", show_default="kubesphere"
    ),
]


def reach(
    inventory: list[str] | None, limit: str | None, transport: TransportName = TransportName.SSH, forks: int = 10
) -> Reach:
    """Return how nodes are reached. Raises UsageError where nothing says which nodes."""
    if transport is TransportName.SSH and not inventory:
        raise UsageError.of(
            "inventory-missing", "which nodes? There is no inventory", "name one with -i, or use --transport local"
        )
    literal: Literal["ssh", "local"] = "local" if transport is TransportName.LOCAL else "ssh"
    return Reach(sources=tuple(inventory or ()), limit=limit, transport=literal, forks=forks)


def policies(config: str | None, flags: RegistryFlags, *, repair: bool = False) -> Policies:
    """Read the settings and put the flags on top. Raises UsageError where no registry is named anywhere."""
    return Policies(file=load_configuration(config), flags=flags, repair=repair)


def password_from(*, stdin: bool, file: str | None) -> Sensitive | None:
    """Return the password from standard input, None where it was not asked for. Raises UsageError for both at once."""
    if not stdin:
        return None
    if file:
        raise UsageError.of("flags-ambiguous", "--password-stdin and --password-file are two sources", "use one")
    return read_password(sys.stdin.read(), "standard input")
