"""Groups of options: a parameter whose type is a dataclass becomes an option per field."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

from harbor_agent.cli import options
from harbor_agent.cli.help import Panel, build_option

# What a node gets besides the registry.
SystemTrust = Annotated[
    bool, build_option(Panel.PLAN, "--system-trust", "Also put the registry's CA into the nodes' trust store.")
]
KubeletLogin = Annotated[
    bool, build_option(Panel.PLAN, "--kubelet-login", "Also write the login to a file of kubelet; see its warning.")
]


AssumedVersion = Annotated[
    str | None,
    build_option(
        Panel.PLAN, "--assume-docker-version", "dockerd version in --root.", metavar="V", show_default="20.10"
    ),
]
AssumedRuntime = Annotated[
    str | None,
    build_option(
        Panel.PLAN, "--assume-runtime", "Runtime and version in --root, such as containerd=1.7.24.", metavar="NAME=V"
    ),
]
LockTimeout = Annotated[
    float,
    build_option(
        Panel.RUN, "--lock-timeout", "Wait this long for another run that holds the lock.", metavar="SECONDS", min=0.0
    ),
]
Shard = Annotated[
    str | None,
    build_option(
        Panel.NODES,
        "--shard",
        "Only part I of N of the nodes, chosen by a hash of each name; auto/N in a pod of an Indexed Job.",
        metavar="I/N",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """Which nodes, and how to reach them."""

    inventory: options.Inventory = None
    limit: options.Limit = None
    shard: Shard = None
    transport: options.TransportOption = options.TransportName.SSH
    forks: options.Forks = options.DEFAULT_FORKS
    vault_id: options.VaultIds = None
    vault_password_file: options.VaultPasswordFiles = None
    ask_vault_pass: options.AskVaultPass = False
    ask_pass: options.AskPass = False
    ask_become_pass: options.AskBecomePass = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginOptions:
    """Which registries, and the login there."""

    registry: options.Registries = None
    config: options.Config = None
    username: options.Username = None
    password_stdin: options.PasswordStdin = False
    password_file: options.PasswordFile = None
    ca_file: options.CaFile = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """The desired state of the nodes, apart from the registries."""

    route: options.RouteOption = None
    runtime: options.RuntimeOption = None
    absent: options.Absent = False
    repair: options.Repair = False
    system_trust: SystemTrust = False
    kubelet_login: KubeletLogin = False
    root: options.Root = None
    assume_docker_version: AssumedVersion = None
    assume_runtime: AssumedRuntime = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretOptions:
    """The pull secret and its cluster."""

    secret_name: options.SecretName = None
    namespace: options.Namespaces = None
    service_account: options.ServiceAccounts = None
    key_form: options.KeyForm = None
    email: options.Email = None
    kubeconfig: options.Kubeconfig = None
    context: options.Context = None
    force_conflicts: options.ForceConflicts = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsOptions:
    """Which registries' names, in which cluster's DNS."""

    registry: options.Registries = None
    config: options.Config = None
    absent: options.Absent = False
    kubeconfig: options.Kubeconfig = None
    context: options.Context = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestOptions:
    """The pull secret as a manifest, without a cluster."""

    secret_name: options.SecretName = None
    namespace: options.Namespaces = None
    key_form: options.KeyForm = None
    email: options.Email = None


_Function = TypeVar("_Function", bound=Callable[..., object])


def describe(**texts: str) -> Callable[[_Function], _Function]:
    """Give options of one command help texts of their own; a shared option does not do the same everywhere."""

    def keep_texts(command: _Function) -> _Function:
        command.__dict__["help_texts"] = texts
        return command

    return keep_texts


def expand_parameters(command: Callable[..., object]) -> list[inspect.Parameter]:
    """Return the command's parameters with every group replaced by its fields, and the texts of `describe`."""
    parameters = _expand_groups(command)
    texts: dict[str, str] = dict(getattr(command, "help_texts", {}))
    described = [_replace_text(parameter, texts.pop(parameter.name, None)) for parameter in parameters]
    if texts:
        raise TypeError(f"{command.__name__} has no option {', '.join(texts)}")
    return described


def _expand_groups(command: Callable[..., object]) -> list[inspect.Parameter]:
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        hint = _read_hints(command)[parameter.name]
        if dataclasses.is_dataclass(hint):
            hints = _read_hints(hint)
            parameters += [
                _build_parameter(field.name, field.default, hints[field.name]) for field in dataclasses.fields(hint)
            ]
        else:
            parameters.append(_build_parameter(parameter.name, parameter.default, hint))
    return parameters


def collect_arguments(command: Callable[..., object], values: dict[str, object]) -> dict[str, object]:
    """Return the arguments of the command, with every group built from the values of its fields."""
    arguments = dict(values)
    for name, hint in _read_hints(command).items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            arguments[name] = hint(**{field.name: arguments.pop(field.name) for field in dataclasses.fields(hint)})
    return arguments


def _replace_text(parameter: inspect.Parameter, text: str | None) -> inspect.Parameter:
    if text is None:
        return parameter
    hint, info = get_args(parameter.annotation)
    info = copy(info)
    info.help = text
    return parameter.replace(annotation=Annotated[hint, info])


def _build_parameter(name: str, default: object, hint: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def _read_hints(annotated: Any) -> dict[str, Any]:  # noqa: ANN401 - a function or a class, and types of any kind
    return get_type_hints(annotated, include_extras=True)
