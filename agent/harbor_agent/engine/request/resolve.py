"""A request resolved once: settings, inventory variables and flags merged into one policy a node."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harbor_agent.engine.request.certificates import read_certificates
from harbor_agent.engine.request.config_file import load_configuration
from harbor_agent.engine.request.credentials import read_logins
from harbor_agent.errors import UsageError
from harbor_agent.model.address import Address
from harbor_agent.planning.config.merge import merge
from harbor_agent.planning.config.schema import PolicyLayer, parse_host_variables
from harbor_agent.planning.secrets.desired import build_desired_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.engine.request.request import RegistryFlags, RunRequest
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.policy import Credentials, Policy
    from harbor_agent.planning.secrets.desired import DesiredSecret


_OF_ONE_REGISTRY = {"credentials", "secret", "verify_image", "ca_file", "system_trust", "kubelet_login"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A request with the policy that it results in: `general` without any node's variables, and each node's own.

    `credentials` (by registry entry) and `secrets` are empty until `resolve_logins`.
    """

    request: RunRequest
    general: Policy
    nodes: tuple[tuple[Node, Policy], ...] = ()
    credentials: Mapping[str, Credentials] = field(default_factory=dict)
    secrets: tuple[DesiredSecret, ...] = ()

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The general policy, then that of each node."""
        return (self.general, *(policy for _, policy in self.nodes))


def resolve(request: RunRequest, nodes: Sequence[Node] = ()) -> Resolved:
    """Merge settings, variables and flags. Reads the settings file and the CA files, and no password.

    Raises UsageError for an error in the file, in a variable (naming the host) or in the flags.
    """
    file = load_configuration(request.config)
    general = build_policy(file, request.flags)
    # Most nodes have no variables of ours: they share one policy.
    own = [(node, build_policy(file, request.flags, node) if node.variables else general) for node in nodes]
    return Resolved(request=request, general=general, nodes=tuple(own))


def resolve_logins(resolved: Resolved) -> Resolved:
    """Return the same with the registry logins, and the pull secrets that need them.

    Raises UsageError for a password that is missing, and for secrets that contradict each other.
    """
    flags = resolved.request.flags
    credentials = read_logins(resolved.policies)
    secrets = build_desired_secrets(
        resolved.policies,
        credentials,
        force_conflicts=flags.force_conflicts,
        # Flags that name one secret or namespace do not say where else secrets belong.
        report_leftovers=not (flags.namespaces or flags.secret_name),
    )
    return replace(
        resolved,
        general=_add_logins(resolved.general, credentials),
        nodes=tuple((node, _add_logins(policy, credentials)) for node, policy in resolved.nodes),
        credentials=credentials,
        secrets=tuple(secrets),
    )


def resolve_kubelet_logins(resolved: Resolved) -> Resolved:
    """Return the same with the logins that kubelet should have; no other password is read.

    Raises UsageError for a password that is missing.
    """
    wanting = [
        replace(policy, registries=tuple(one for one in policy.registries if one.kubelet_login))
        for policy in resolved.policies
    ]
    credentials = read_logins(wanting)
    return replace(
        resolved,
        general=_add_logins(resolved.general, credentials),
        nodes=tuple((node, _add_logins(policy, credentials)) for node, policy in resolved.nodes),
    )


def _add_logins(policy: Policy, credentials: Mapping[str, Credentials]) -> Policy:
    """Return the policy with the logins that kubelet should have."""
    registries = (
        replace(one, login=credentials.get(one.address.entry)) if one.kubelet_login else one
        for one in policy.registries
    )
    return replace(policy, registries=tuple(registries))


def require_registry(policies: Sequence[Policy]) -> None:
    """Raise UsageError if no policy names a registry."""
    if not any(policy.registries for policy in policies):
        raise UsageError.of(
            "registry-missing", "no registry is named", "name one with --registry or in harbor-agent.yaml"
        )


def build_policy(file: PolicyLayer, flags: RegistryFlags, node: Node | None = None) -> Policy:
    """Merge the settings file, the variables of `node` and the flags. Raises UsageError."""
    layers = (file, parse_host_variables(node.variables, node.name)) if node else (file,)
    only = flags.parse_addresses()
    written = (registry["address"] for layer in layers for registry in layer.registries)
    targets = only or tuple(dict.fromkeys(address for address in written if isinstance(address, Address)))
    return read_certificates(merge((*layers, _build_flag_layer(flags, targets)), only=only))


def _build_flag_layer(flags: RegistryFlags, targets: tuple[Address, ...]) -> PolicyLayer:
    credentials = {
        "username": flags.username,
        "email": flags.email,
        "password": flags.password,
        "password_file": flags.password_file,
    }
    secret = {
        "name": flags.secret_name,
        "namespaces": flags.namespaces or None,
        # Namespaces named by flags replace the whole selection of the file.
        "namespace_selector": "" if flags.namespaces else None,
        "exclude_namespaces": () if flags.namespaces else None,
        "service_accounts": flags.service_accounts or None,
        "key_form": flags.key_form,
    }
    per_registry: dict[str, object | None] = {
        "state": "absent" if flags.absent else None,
        "verify_image": flags.verify_image,
        "ca_file": flags.ca_file,
        "system_trust": flags.system_trust or None,
        "kubelet_login": flags.kubelet_login or None,
        "credentials": _drop_unset(credentials),
        "secret": _drop_unset(secret),
    }
    settings = _drop_unset(per_registry) or {}
    _check_flags(flags, settings, targets)
    return PolicyLayer(
        registries=tuple({"address": address, **settings} for address in targets),
        route=flags.route,
        runtime=flags.runtime,
        kubeconfig=flags.kubeconfig,
    )


def _drop_unset(values: Mapping[str, object | None]) -> dict[str, object] | None:
    return {key: value for key, value in values.items() if value is not None} or None


def _check_flags(flags: RegistryFlags, settings: Mapping[str, object], targets: tuple[Address, ...]) -> None:
    if flags.absent and not flags.addresses:
        raise UsageError.of("flags-ambiguous", "--absent needs a registry to remove", "name it with --registry")
    if len(targets) > 1 and settings.keys() & _OF_ONE_REGISTRY:
        raise UsageError.of(
            "flags-ambiguous",
            "options for the login, the secret, the image and the CA need one registry, "
            f"and this run has {len(targets)}",
            "name one with --registry, or put these settings into harbor-agent.yaml",
        )
