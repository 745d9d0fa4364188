"""The options that several commands share: one definition, one help text."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from harbor_agent.model.policy import RouteChoice

DEFAULT_FORKS = 10


class Format(enum.StrEnum):
    """What the result looks like on standard output."""

    TEXT = "text"
    JSON = "json"


class TransportName(enum.StrEnum):
    """How nodes are reached."""

    SSH = "ssh"
    ANSIBLE = "ansible"
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
        help="Which nodes: an Ansible inventory, a KubeKey file, or 'host1,host2,'; repeatable.",
        show_default="what ansible.cfg names",
        metavar="SOURCE",
    ),
]
Limit = Annotated[
    str | None,
    typer.Option(
        "--limit",
        help="Only these of them: Ansible's patterns, such as 'workers:!node7', or @failed for the last run's.",
        metavar="PATTERN",
    ),
]
VaultIds = Annotated[
    list[str] | None,
    typer.Option(
        "--vault-id", help="A password of ansible-vault: LABEL@FILE or LABEL@prompt; repeatable.", metavar="ID"
    ),
]
VaultPasswordFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--vault-password-file",
        help="File with a password of ansible-vault, or script that prints it; repeatable.",
        metavar="FILE",
    ),
]
AskPass = Annotated[
    bool, typer.Option("-k", "--ask-pass", help="Ask for the password of the logins, for nodes that have none set.")
]
AskBecomePass = Annotated[
    bool, typer.Option("-K", "--ask-become-pass", help="Ask for the password of sudo or su, likewise.")
]
AskVaultPass = Annotated[bool, typer.Option("--ask-vault-pass", help="Ask for the password of ansible-vault.")]
Registries = Annotated[
    list[str] | None,
    typer.Option(
        "--registry",
        help="The registry, http:// implied; repeatable. The run is then about these only.",
        metavar="HOST[:PORT]",
    ),
]
Config = Annotated[
    str | None,
    typer.Option(
        "-c", "--config", help="Settings file.", show_default="./harbor-agent.yaml if it is there", metavar="FILE"
    ),
]
TransportOption = Annotated[
    TransportName,
    typer.Option(
        "--transport",
        help="ssh to the nodes; ansible, with its own plugins and settings; or local: this machine, no inventory.",
    ),
]
RouteOption = Annotated[
    RouteChoice | None,
    typer.Option(
        "--route",
        help="Where the setting goes: decided per node, always docker-options.conf, or always daemon.json.",
        show_default="auto",
    ),
]
Forks = Annotated[int, typer.Option("--forks", min=1, help="Nodes looked at at the same time.", metavar="N")]
Output = Annotated[Format, typer.Option("-o", "--output", help="text for people, json for programs.")]
Absent = Annotated[bool, typer.Option("--absent", help="Take the registry out of the nodes again; needs --registry.")]
Repair = Annotated[
    bool, typer.Option("--repair", help="Mend broken settings as well, which a plan otherwise refuses and shows.")
]
Drain = Annotated[
    bool,
    typer.Option("--drain", help="Before a restart, cordon the node and evict its pods; uncordon it once it is Ready."),
]
LiveRestore = Annotated[
    bool,
    typer.Option(
        "--live-restore",
        help="Where a restart would stop containers, switch Docker's live-restore on first, so that they run on.",
    ),
]
Root = Annotated[
    str | None,
    typer.Option("--root", help="An unpacked image instead of nodes: only its files are changed.", metavar="DIR"),
]
AssumedVersion = Annotated[
    str | None,
    typer.Option("--assume-docker-version", help="dockerd's version in --root.", show_default="20.10", metavar="V"),
]
Verbose = Annotated[
    int, typer.Option("-v", "--verbose", count=True, help="Name each node as it is seen.", show_default=False)
]
Note = Annotated[
    str, typer.Option("--note", help="Why it is done; kept in the plan file and the report.", metavar="TEXT")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; needed where there is no terminal.")]
VerifyImage = Annotated[
    str | None,
    typer.Option(
        "--verify-image",
        help="Image for each node to pull as proof, without the registry's address.",
        metavar="REPO:TAG",
    ),
]
Kubeconfig = Annotated[
    str | None,
    typer.Option("--kubeconfig", help="The cluster that gets the secret.", show_default="kubectl's", metavar="FILE"),
]
Context = Annotated[
    str | None,
    typer.Option("--context", help="Context of the kubeconfig.", show_default="its current one", metavar="NAME"),
]
Namespaces = Annotated[
    list[str] | None,
    typer.Option(
        "-n",
        "--namespace",
        help="Namespace (in KubeSphere: project) of the secret, '*' for all; repeatable.",
        show_default="default",
        metavar="NAME",
    ),
]
ServiceAccounts = Annotated[
    list[str] | None,
    typer.Option(
        "--service-account", help="Service account there that the secret is attached to; repeatable.", metavar="NAME"
    ),
]
SecretName = Annotated[
    str | None,
    typer.Option("--secret-name", help="Name of the pull secret.", show_default="harbor-pull", metavar="NAME"),
]
ForceConflicts = Annotated[
    bool, typer.Option("--force-conflicts", help="Take over what other programs wrote in the secret.")
]
Username = Annotated[
    str | None,
    typer.Option("--username", help="User at the registry, checked there before any node is touched.", metavar="USER"),
]
Email = Annotated[str | None, typer.Option("--email", help="E-mail address in the secret.", metavar="ADDRESS")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
PasswordFile = Annotated[
    str | None, typer.Option("--password-file", help="Read the password from a file.", metavar="FILE")
]
KeyForm = Annotated[
    KeyFormName | None,
    typer.Option(
        "--key-form",
        help="How the secret names the registry: with http:// as KubeSphere needs it, or plain.",
        show_default="kubesphere",
    ),
]


def command_app(**settings: Any) -> typer.Typer:  # noqa: ANN401 - as typer calls and types them
    """Return what takes up the commands of one module, with `settings` of typer's."""
    return typer.Typer(rich_markup_mode=None, add_completion=False, **settings)


def examples(*lines: str) -> str:
    """Return the end of a help text: commands to copy, in lines that stay as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """Which nodes, and how they are reached."""

    inventory: Inventory = None
    limit: Limit = None
    transport: TransportOption = TransportName.SSH
    forks: Forks = DEFAULT_FORKS
    vault_id: VaultIds = None
    vault_password_file: VaultPasswordFiles = None
    ask_vault_pass: AskVaultPass = False
    ask_pass: AskPass = False
    ask_become_pass: AskBecomePass = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What is wanted of the nodes beyond the registries."""

    route: RouteOption = None
    absent: Absent = False
    repair: Repair = False
    root: Root = None
    assume_docker_version: AssumedVersion = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginOptions:
    """Which registries, and the login there."""

    registry: Registries = None
    config: Config = None
    username: Username = None
    password_stdin: PasswordStdin = False
    password_file: PasswordFile = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretOptions:
    """The pull secret."""

    secret_name: SecretName = None
    namespace: Namespaces = None
    service_account: ServiceAccounts = None
    key_form: KeyForm = None
    email: Email = None
    kubeconfig: Kubeconfig = None
    context: Context = None
    force_conflicts: ForceConflicts = False
