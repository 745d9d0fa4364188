"""A scheduled drift check in a cluster, built from the options: its objects, and the commands for its secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harbor_agent.engine.plan.fleet import load_nodes
from harbor_agent.engine.request.config_file import find_configuration_file
from harbor_agent.engine.request.request import RegistryFlags, RunRequest
from harbor_agent.engine.request.resolve import require_registry, resolve
from harbor_agent.engine.schedule.receivers import list_receiver_files, list_receiver_ports
from harbor_agent.engine.schedule.request import build_arguments, require_no_prompt
from harbor_agent.engine.schedule.target import find_api_port, find_version
from harbor_agent.errors import UsageError
from harbor_agent.model.inventory import SSH_PORT
from harbor_agent.model.policy import CONTEXT_NAMESPACE
from harbor_agent.model.secret import ALL_NAMESPACES
from harbor_agent.planning.in_cluster.check import EVERYWHERE, ClusterSchedule
from harbor_agent.planning.in_cluster.objects import FOLDER, HOME, build_objects, list_commands
from harbor_agent.planning.schedule import build_cron_times, build_unit_name
from harbor_agent.planning.secrets.desired import list_requested

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.request.request import NodeSelection
    from harbor_agent.engine.request.resolve import Resolved
    from harbor_agent.engine.schedule.request import ScheduleRequest
    from harbor_agent.engine.schedule.target import Target
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.policy import Registry, SecretPolicy
    from harbor_agent.planning.in_cluster.rights import Object

_NAMESPACE = "harbor-agent"
_LONGEST_NAME = 46  # of a CronJob 52, as its Jobs add eleven characters; and one of the two ends with -apply
_MOUNTED = f"{FOLDER}/inventory"
_BESIDE = ("group_vars", "host_vars")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """The objects to create, and the commands that create the secrets from files of this machine before."""

    objects: tuple[Object, ...]
    commands: tuple[str, ...]


def build_manifests(request: ScheduleRequest, target: Target, listener: Listener) -> Manifests:
    """Read settings and inventory as the check will, and return what it needs in the cluster.

    Nothing is created; the cluster is at most asked for its version.
    Raises UsageError for an error in them, and for files that a pod cannot have.
    """
    require_no_prompt(request.selection)
    config = find_configuration_file(request.config)
    nodes = load_nodes(request.selection, listener)
    flags = RegistryFlags(addresses=request.addresses)
    resolved = resolve(RunRequest(selection=request.selection, flags=flags, config=request.config), nodes)
    if request.correct:
        require_registry(resolved.policies)
    _require_portable(nodes)
    sources = _map_sources(request.selection, config)
    unit = _build_name(request.name)
    checks_dns = any(registry.resolve for registry in resolved.general.registries)
    secrets = list_requested(resolved.policies)
    asks_cluster = request.correct or checks_dns or bool(secrets)
    if secrets and resolved.general.kubeconfig is None:
        raise _refuse(
            "the settings have a pull secret and no kubeconfig", "add kubeconfig: /etc/harbor-agent/kubeconfig"
        )
    named = _map_named_files(resolved, corrects=request.correct)
    kubeconfig = resolved.general.kubeconfig if asks_cluster else None
    ports = {*(node.port or SSH_PORT for node in nodes), *_list_registry_ports(resolved)}
    ports |= {*list_receiver_ports(resolved.general)}
    if target.is_another and kubeconfig:
        named |= _map_file(kubeconfig)
        ports.add(find_api_port(kubeconfig))
    schedule = ClusterSchedule(
        name=unit,
        namespace=_NAMESPACE,
        image=target.image,
        schedule=build_cron_times(request.timing, minute=0),
        arguments=_build_arguments(request, sources, config),
        apply_arguments=_build_apply_arguments(request, resolved, config),
        version=find_version(target),
        ports=tuple(sorted(ports)),
        files=tuple((key, path) for key, (path, _) in named.items()),
        kubeconfig=_locate(kubeconfig) if kubeconfig and not target.is_another else None,
        corrects=request.correct,
        drains=resolved.general.rollout.drain,
        checks_dns=checks_dns,
        secrets=tuple(sorted({place for _, secret in secrets for place in _list_places(secret)})),
        accounts=tuple(sorted({name for _, secret in secrets for name in secret.service_accounts})),
    )
    files = {key: source for key, (_, source) in named.items()}
    return Manifests(objects=tuple(build_objects(schedule)), commands=tuple(list_commands(schedule, sources, files)))


def _build_name(name: str | None) -> str:
    """Return the name of all objects in a namespace of several checks. Raises UsageError."""
    unit = build_unit_name(name)
    if len(unit) > _LONGEST_NAME:
        most = _LONGEST_NAME - len(build_unit_name("x")) + 1
        raise UsageError.of("usage", f"--name {name} is too long for a CronJob", f"use at most {most} characters")
    return unit


def _require_portable(nodes: Iterable[Node]) -> None:
    """Raise UsageError for a node that a pod cannot reach as this machine does."""
    for node in nodes:
        if node.skip_reason is not None:
            continue
        if node.connection == "local":
            raise _refuse(f"{node.name} is reached by a local connection", "give it an address and an SSH key")
        if node.private_key_file:
            hint = "remove ansible_ssh_private_key_file; the pod uses the key of its secret"
            raise _refuse(f"{node.name} names the key {node.private_key_file} of this machine", hint)


def _map_sources(selection: NodeSelection, config: Path | None) -> dict[str, str]:
    """Return the files of inventory, vault and settings by their names in the pod. Raises UsageError."""
    files = [source for source in selection.sources if "," not in source]
    files += [*selection.vault.password_files, *([str(config)] if config else [])]
    found: dict[str, str] = {}
    for file in files:
        path = Path(file).expanduser()
        beside = [name for name in _BESIDE if (path.parent / name).exists()] if file in selection.sources else []
        if path.is_dir() or beside:
            subject = f"{path} is a folder" if path.is_dir() else f"{path} has {beside[0]} beside it"
            hint = "write one file: ansible-inventory -i SOURCE --list --yaml --export > inventory.yml"
            raise _refuse(f"{subject}, which a secret cannot hold", hint)
        if found.setdefault(path.name, file) != file:
            raise _refuse(f"two files are called {path.name}", "rename one of them")
    return found


def _build_arguments(request: ScheduleRequest, sources: dict[str, str], config: Path | None) -> tuple[str, ...]:
    """Return the command of the pod: `drift`, with every file at its path there."""

    def locate(file: str) -> str:
        name = Path(file).name
        return f"{_MOUNTED}/{name}" if name in sources else file

    selection = replace(
        request.selection,
        sources=tuple(map(locate, request.selection.sources)),
        vault=replace(
            request.selection.vault, password_files=tuple(map(locate, request.selection.vault.password_files))
        ),
    )
    arguments = build_arguments(request, selection, Path(locate(str(config))) if config else None, None)
    corrects = ["--correct", "--yes", "--note", "by a CronJob"] if request.correct else []
    return ("drift", *arguments, *corrects)


def _build_apply_arguments(request: ScheduleRequest, resolved: Resolved, config: Path | None) -> tuple[str, ...]:
    """Return the command by which a person applies the pull secrets from a pod, so that its history knows where."""
    if not request.correct or config is None or not any(one.secret for one in resolved.general.registries):
        return ()
    words = (word for address in request.addresses for word in ("--registry", address))
    return ("secret", "apply", "-c", f"{_MOUNTED}/{config.name}", *words, "--yes")


def _map_named_files(resolved: Resolved, *, corrects: bool) -> dict[str, tuple[str, str]]:
    """Return the files that the settings name: by key their path in the pod, and the one on this machine."""
    found: dict[str, tuple[str, str]] = {}
    registries = {registry for policy in resolved.policies for registry in policy.registries}
    for registry in sorted(registries, key=lambda one: one.address.url):
        for text in _list_named_files(registry, corrects=corrects):
            found |= _map_file(text)
    for text in list_receiver_files(resolved.general, _refuse_variable):
        found |= _map_file(text)
    return found


def _map_file(text: str) -> dict[str, tuple[str, str]]:
    key = re.sub(r"[^A-Za-z0-9._-]", "-", text.strip("/~"))
    return {key: (_locate(text), str(Path(text).expanduser().absolute()))}


def _list_named_files(registry: Registry, *, corrects: bool) -> Iterator[str]:
    yield from (file for file in (registry.ca_file, registry.client_certificate, registry.client_key) if file)
    source = registry.credentials
    if source is None or not corrects:
        return
    if source.password_env:
        raise _refuse_variable(f"the password of {registry.address}", source.password_env, "password_file")
    if source.docker_config:
        raise _refuse(f"the login of {registry.address} is in docker_config", "name a file with password_file")
    if source.password_file:
        yield source.password_file


def _refuse_variable(what: str, name: str, key: str) -> UsageError:
    return _refuse(f"{what} is in ${name}, which no pod has", f"name a file with {key}; the pod gets it from a secret")


def _locate(text: str) -> str:
    """Return the path of a file in the pod, where ~ is its home. Raises UsageError for a relative one."""
    if text.startswith("~/"):
        return f"{HOME}/{text.removeprefix('~/')}"
    if not PurePosixPath(text).is_absolute():
        raise _refuse(f"the settings name {text} without its folder", "write the whole path, such as /etc/harbor/FILE")
    return text


def _list_places(secret: SecretPolicy) -> Iterator[tuple[str, str]]:
    """Yield namespace and name of the secret; the kubeconfig of the pod has the namespace `default`."""
    if secret.namespace_selector or ALL_NAMESPACES in secret.namespaces:
        yield EVERYWHERE, secret.name
    for name in secret.namespaces:
        if name != ALL_NAMESPACES:
            yield ("default" if name == CONTEXT_NAMESPACE else name), secret.name


def _list_registry_ports(resolved: Resolved) -> Iterator[int]:
    for policy in resolved.policies:
        for registry in policy.registries:
            default = 443 if registry.address.scheme == "https" else 80
            yield registry.address.port or default


def _refuse(message: str, hint: str) -> UsageError:
    return UsageError.of("schedule-not-portable", message, hint)
