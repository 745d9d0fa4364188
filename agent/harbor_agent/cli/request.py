"""From groups of options to the values that the engine takes."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harbor_agent.cli.option_groups import LoginOptions, ManifestOptions, NodeOptions, PlanOptions, SecretOptions
from harbor_agent.cli.options import KeyFormName, TransportName
from harbor_agent.errors import UsageError

if TYPE_CHECKING:
    from harbor_agent.engine.request.request import NodeSelection, RegistryFlags, RunRequest
    from harbor_agent.model.inventory import Shard
    from harbor_agent.model.sensitive import Sensitive


def build_request(
    nodes: NodeOptions, login: LoginOptions, plan: PlanOptions, secret: SecretOptions, verify_image: str | None
) -> RunRequest:
    """Build the request of plan and apply. Raises UsageError."""
    from harbor_agent.engine.request.request import RunRequest

    flags = add_secret_flags(build_flags(login), secret)
    return RunRequest(
        selection=build_selection(nodes),
        flags=replace(
            flags,
            absent=plan.absent,
            route=plan.route,
            runtime=plan.runtime,
            verify_image=verify_image,
            system_trust=plan.system_trust,
            kubelet_login=plan.kubelet_login,
        ),
        config=login.config,
        repair=plan.repair,
        root=str(Path(plan.root).absolute()) if plan.root is not None else None,
        docker_version=plan.assume_docker_version,
        assumed_runtime=_parse_assumed_runtime(plan),
    )


def _parse_assumed_runtime(plan: PlanOptions) -> tuple[str, str] | None:
    """Return name and version of the runtime in `--root`. Raises UsageError for anything but NAME=V."""
    if plan.assume_runtime is None:
        return None
    if plan.assume_docker_version:
        message = "--assume-runtime and --assume-docker-version cannot be used together"
        raise UsageError.of("flags-ambiguous", message, "use --assume-runtime docker=V")
    from harbor_agent.planning.node import TREE_NAMES

    name, _, version = plan.assume_runtime.partition("=")
    if name not in TREE_NAMES or not re.match(r"\d+\.\d+", version):
        message = f"--assume-runtime: '{plan.assume_runtime}' is not NAME=VERSION"
        raise UsageError.of("usage", message, f"use one of {', '.join(TREE_NAMES)}, such as containerd=1.7.24")
    return name, version


def build_selection(nodes: NodeOptions) -> NodeSelection:
    """Build the selection of nodes, with `@failed` resolved from the history."""
    from harbor_agent.engine.history.query import expand_failed_nodes
    from harbor_agent.engine.request.request import NodeSelection
    from harbor_agent.model.inventory import VaultSources

    selection = NodeSelection(
        sources=tuple(nodes.inventory or ()),
        limit=nodes.limit,
        shard=_parse_shard(nodes),
        transport=nodes.transport.value,
        forks=nodes.forks,
        vault=VaultSources(
            ids=tuple(nodes.vault_id or ()),
            password_files=tuple(nodes.vault_password_file or ()),
            ask=nodes.ask_vault_pass,
        ),
        ask_password=nodes.ask_pass,
        ask_become_password=nodes.ask_become_pass,
    )
    return expand_failed_nodes(selection)


def _parse_shard(nodes: NodeOptions) -> Shard | None:
    """Return the shard, None without one. Raises UsageError."""
    if nodes.shard is None:
        return None
    if nodes.transport is TransportName.LOCAL:
        message = "--shard and --transport local cannot be used together"
        raise UsageError.of("flags-ambiguous", message, "leave out --shard; this machine is one node")
    from harbor_agent.engine.request.shard import parse_shard

    return parse_shard(nodes.shard)


def build_flags(login: LoginOptions) -> RegistryFlags:
    """Build the flags of registries and login; the password may come from standard input. Raises UsageError."""
    from harbor_agent.engine.request.request import RegistryFlags

    return RegistryFlags(
        addresses=tuple(login.registry or ()),
        username=login.username,
        password=_read_password(stdin=login.password_stdin, file=login.password_file),
        password_file=login.password_file,
        ca_file=str(Path(login.ca_file).expanduser().absolute()) if login.ca_file else None,
    )


def add_secret_flags(flags: RegistryFlags, secret: SecretOptions) -> RegistryFlags:
    """Return `flags` with those of the pull secret."""
    return replace(
        flags,
        secret_name=secret.secret_name,
        namespaces=tuple(secret.namespace or ()),
        service_accounts=tuple(secret.service_account or ()),
        key_form=_parse_key_form(secret.key_form),
        email=secret.email,
        kubeconfig=secret.kubeconfig,
        context=secret.context,
        force_conflicts=secret.force_conflicts,
    )


def add_manifest_flags(flags: RegistryFlags, manifest: ManifestOptions) -> RegistryFlags:
    """Return `flags` with those of the manifest of a pull secret."""
    return add_secret_flags(
        flags,
        SecretOptions(
            secret_name=manifest.secret_name,
            namespace=manifest.namespace,
            key_form=manifest.key_form,
            email=manifest.email,
        ),
    )


def _read_password(*, stdin: bool, file: str | None) -> Sensitive | None:
    from harbor_agent.engine.request.credentials import parse_password

    if not stdin:
        return None
    if file:
        message = "--password-stdin and --password-file cannot be used together"
        raise UsageError.of("flags-ambiguous", message, "use one of them")
    return parse_password(sys.stdin.read(), "standard input")


def _parse_key_form(form: KeyFormName | None) -> Literal["kubesphere", "plain"] | None:
    match form:
        case None:
            return None
        case KeyFormName.KUBESPHERE:
            return "kubesphere"
        case KeyFormName.PLAIN:
            return "plain"
