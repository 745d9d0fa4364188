"""The options that several commands share; `option_groups.describe` fits a help text to one command."""

from __future__ import annotations

import enum
from typing import Annotated

from harbor_agent.cli.completion import complete_context, complete_limit, complete_namespace
from harbor_agent.cli.help import Panel, build_option
from harbor_agent.model.policy import RouteChoice, RuntimeChoice

DEFAULT_FORKS = 10


class Format(enum.StrEnum):
    """Formats of the result on standard output."""

    TEXT = "text"
    JSON = "json"


class TransportName(enum.StrEnum):
    """Ways to reach a node."""

    SSH = "ssh"
    ANSIBLE = "ansible"
    LOCAL = "local"


class KeyFormName(enum.StrEnum):
    """Forms of the registry's key in a pull secret."""

    KUBESPHERE = "kubesphere"
    PLAIN = "plain"


Inventory = Annotated[
    list[str] | None,
    build_option(
        Panel.NODES,
        "-i --inventory",
        "Ansible inventory, KubeKey file, or 'host1,host2,'; repeatable.",
        metavar="SOURCE",
        show_default="as in ansible.cfg",
    ),
]
Limit = Annotated[
    str | None,
    build_option(
        Panel.NODES,
        "--limit",
        "Limit the run to matching nodes (Ansible pattern, e.g. 'workers:!node7'; @failed selects nodes that failed in "
        "the last run).",
        metavar="PATTERN",
        autocompletion=complete_limit,
    ),
]
TransportOption = Annotated[
    TransportName,
    build_option(
        Panel.NODES, "--transport", "Reach nodes by SSH, through Ansible and its plugins, or use this machine (local)."
    ),
]
Forks = Annotated[
    int, build_option(Panel.NODES, "--forks", "Maximum number of nodes to process in parallel.", metavar="N", min=1)
]
VaultIds = Annotated[
    list[str] | None,
    build_option(
        Panel.NODES, "--vault-id", "Ansible Vault password: LABEL@FILE or LABEL@prompt; repeatable.", metavar="ID"
    ),
]
VaultPasswordFiles = Annotated[
    list[str] | None,
    build_option(
        Panel.NODES,
        "--vault-password-file",
        "File with a vault password, or a script that prints one; repeatable.",
        metavar="FILE",
    ),
]
AskVaultPass = Annotated[bool, build_option(Panel.NODES, "--ask-vault-pass", "Ask for the vault password.")]
AskPass = Annotated[
    bool, build_option(Panel.NODES, "-k --ask-pass", "Ask for the login password of nodes without one.")
]
AskBecomePass = Annotated[
    bool, build_option(Panel.NODES, "-K --ask-become-pass", "Ask for the sudo or su password of nodes without one.")
]
Registries = Annotated[
    list[str] | None,
    build_option(
        Panel.REGISTRY,
        "--registry",
        "Registry to configure (http:// assumed); repeatable. Restricts the run to the registries given.",
        metavar="HOST[:PORT]",
    ),
]
Config = Annotated[
    str | None,
    build_option(
        Panel.REGISTRY, "-c --config", "Settings file.", metavar="FILE", show_default="./harbor-agent.yaml if present"
    ),
]
Username = Annotated[str | None, build_option(Panel.REGISTRY, "--username", "User at the registry.", metavar="USER")]
PasswordStdin = Annotated[
    bool, build_option(Panel.REGISTRY, "--password-stdin", "Read the password from standard input.")
]
PasswordFile = Annotated[
    str | None, build_option(Panel.REGISTRY, "--password-file", "Read the password from FILE.", metavar="FILE")
]
CaFile = Annotated[
    str | None,
    build_option(Panel.REGISTRY, "--ca-file", "File with the CA (PEM) of an https:// registry.", metavar="FILE"),
]
LoginToo = Annotated[
    bool, build_option(Panel.REGISTRY, "--login", "Also log in at the registry from every node, as docker login does.")
]
VerifyImage = Annotated[
    str | None,
    build_option(
        Panel.REGISTRY,
        "--verify-image",
        "Image that every node pulls from the registry to verify it.",
        metavar="REPO:TAG",
    ),
]
RouteOption = Annotated[
    RouteChoice | None,
    build_option(
        Panel.PLAN,
        "--route",
        "Write to docker-options.conf (drop-in), to daemon.json, or decide per node.",
        show_default="auto",
    ),
]
RuntimeOption = Annotated[
    RuntimeChoice | None,
    build_option(
        Panel.PLAN,
        "--runtime",
        "Configure the runtime that kubelet uses (auto), or this one in any case.",
        show_default="auto",
    ),
]
Absent = Annotated[
    bool, build_option(Panel.PLAN, "--absent", "Remove the registry from the nodes; requires --registry.")
]
Repair = Annotated[
    bool,
    build_option(
        Panel.PLAN, "--repair", "Also repair broken settings; without it, the plan shows the repair and refuses."
    ),
]
Root = Annotated[
    str | None,
    build_option(
        Panel.PLAN, "--root", "Work on the files of an unpacked image in DIR instead of on nodes.", metavar="DIR"
    ),
]
AllowUnreachableRegistry = Annotated[
    bool,
    build_option(Panel.RUN, "--allow-unreachable-registry", "Restart nodes even if no node reaches the registry."),
]
LiveRestore = Annotated[
    bool,
    build_option(
        Panel.PLAN, "--live-restore", "Enable Docker's live-restore before a restart that would stop containers."
    ),
]
SecretName = Annotated[
    str | None,
    build_option(Panel.SECRET, "--secret-name", "Name of the pull secret.", metavar="NAME", show_default="harbor-pull"),
]
Namespaces = Annotated[
    list[str] | None,
    build_option(
        Panel.SECRET,
        "-n --namespace",
        "Namespace (KubeSphere: project) of the secret, '*' for all; repeatable.",
        metavar="NAME",
        show_default="that of the kubeconfig's context",
        autocompletion=complete_namespace,
    ),
]
ServiceAccounts = Annotated[
    list[str] | None,
    build_option(
        Panel.SECRET, "--service-account", "Service account to attach the secret to; repeatable.", metavar="NAME"
    ),
]
KeyForm = Annotated[
    KeyFormName | None,
    build_option(
        Panel.SECRET,
        "--key-form",
        "Registry in the secret: with http:// as KubeSphere requires, or plain.",
        show_default="kubesphere",
    ),
]
Email = Annotated[str | None, build_option(Panel.SECRET, "--email", "E-mail address in the secret.", metavar="ADDRESS")]
Kubeconfig = Annotated[
    str | None,
    build_option(
        Panel.SECRET,
        "--kubeconfig",
        "Kubeconfig of the cluster that gets the secret.",
        metavar="FILE",
        show_default="as kubectl",
    ),
]
Context = Annotated[
    str | None,
    build_option(
        Panel.SECRET,
        "--context",
        "Context in the kubeconfig.",
        metavar="NAME",
        show_default="current context",
        autocompletion=complete_context,
    ),
]
ForceConflicts = Annotated[
    bool, build_option(Panel.SECRET, "--force-conflicts", "Overwrite fields of the secret that other programs manage.")
]
AcceptRestart = Annotated[
    bool,
    build_option(
        Panel.RUN, "--accept-restart", "Allow a restart to stop containers, to apply unread edits, or of DNS pods."
    ),
]
AcceptUnproven = Annotated[
    bool,
    build_option(
        Panel.RUN, "--accept-unproven", "Go on, and exit with 0, if it is not proven that DNS uses the new text."
    ),
]
Drain = Annotated[
    bool,
    build_option(Panel.RUN, "--drain", "Before a restart, cordon the node and evict its pods; uncordon it when Ready."),
]
Note = Annotated[
    str, build_option(Panel.RUN, "--note", "Reason for the run; kept in the history and the report.", metavar="TEXT")
]
Yes = Annotated[bool, build_option(Panel.RUN, "--yes", "Skip confirmation. Required when not running on a terminal.")]
UnusedYes = Annotated[bool, build_option(Panel.RUN, "--yes", "Accepted for scripts; this command never asks.")]
ExitCodeFlag = Annotated[
    bool, build_option(Panel.OUTPUT, "--exit-code", "Exit with 3 instead of 0 if changes are pending.")
]
Output = Annotated[Format, build_option(Panel.OUTPUT, "-o --output", "Result as text or as JSON for programs.")]
Verbose = Annotated[
    int, build_option(Panel.OUTPUT, "-v --verbose", "Report every node.", show_default=False, count=True)
]
