"""Merges the layers of settings into one `Policy`.

Precedence, lowest first: defaults, harbor-agent.yaml, the node's inventory variables, flags. Registries merge by
address as it is written, field by field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, cast

from harbor_agent.errors import UsageError
from harbor_agent.model.policy import (
    ANSWER_TIMEOUT,
    CredentialsSource,
    DriftLimits,
    Policy,
    Registry,
    ResolvePolicy,
    Rollout,
    RouteChoice,
    RuntimeChoice,
    SecretPolicy,
)
from harbor_agent.model.secret import ALL_NAMESPACES
from harbor_agent.planning.config.images import find_image_fault
from harbor_agent.planning.config.settings import PASSWORD_SOURCES, WRITTEN_SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import ReceiverSource
    from harbor_agent.planning.config.schema import PolicyLayer


def merge(layers: Iterable[PolicyLayer], *, only: tuple[Address, ...] = ()) -> Policy:
    """Merge layers, lowest precedence first, into a policy.

    `only` restricts the policy to these addresses and adds those that no layer names. An https address and the same
    address with http and `state: absent` stay two registries: one that has left plain HTTP.
    Raises UsageError if the credentials of a registry are incomplete once all layers are merged.
    """
    layers = tuple(layers)
    migrated = _find_migrated_entries(layers)
    merged: dict[str, dict[str, object]] = {}
    route, runtime, kubeconfig = RouteChoice.AUTO, RuntimeChoice.AUTO, None
    notify: tuple[ReceiverSource, ...] = ()
    rollout: dict[str, object] = {}
    drift: dict[str, object] = {}
    for layer in layers:
        route = layer.route or route
        runtime = layer.runtime or runtime
        kubeconfig = layer.kubeconfig or kubeconfig
        notify = layer.notify or notify
        rollout |= layer.rollout
        drift |= layer.drift
        for registry in layer.registries:
            address = cast("Address", registry["address"])
            key = address.url if address.scheme == "http" and address.entry in migrated else address.entry
            merged[key] = _deep_merge(merged.get(key, {}), registry)
    if only:
        merged = {a.url: {**merged.get(a.entry, {}), **merged.get(a.url, {}), "address": a} for a in only}
    registries = tuple(_build_registry(value) for value in merged.values())
    _require_one_address(registries)
    return Policy(
        registries=registries,
        route=route,
        runtime=runtime,
        rollout=_build_rollout(rollout),
        drift=DriftLimits(**drift),  # type: ignore[arg-type]  # checked key by key in _read_drift
        kubeconfig=kubeconfig,
        notify=notify,
    )


def _find_migrated_entries(layers: tuple[PolicyLayer, ...]) -> set[str]:
    """Return the entries that are two registries: one with https, and the plain HTTP one that nodes must drop."""
    named = [registry for layer in layers for registry in layer.registries]
    secure = {
        address.entry for address in (cast("Address", one["address"]) for one in named) if address.scheme == "https"
    }
    absent = (cast("Address", one["address"]) for one in named if one.get("state") == "absent")
    return {address.entry for address in absent if address.scheme == "http"} & secure


def _deep_merge(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = _merge_sources(below, value) if key == "credentials" else {**below, **value}
        else:
            merged[key] = value
    return merged


def _merge_sources(below: Mapping[str, object], value: Mapping[str, object]) -> dict[str, object]:
    """Merge credentials: a password source of the higher layer replaces the lower one's, even one of another kind."""
    replaced = any(source in value for source in PASSWORD_SOURCES)
    kept = {key: v for key, v in below.items() if not (replaced and key in PASSWORD_SOURCES)}
    return {**kept, **value}


def _build_registry(value: Mapping[str, object]) -> Registry:
    address = cast("Address", value["address"])
    client_certificate, client_key = _read_client(address, value)
    return Registry(
        address=address,
        presence=cast("Literal['present', 'absent']", value.get("state", "present")),
        verify_image=_require_image(address, cast("str | None", value.get("verify_image"))),
        credentials=_build_credentials(address, cast("Mapping[str, object] | None", value.get("credentials"))),
        secret=_build_secret(cast("Mapping[str, object] | None", value.get("secret"))),
        answer_timeout=cast("int", value.get("answer_timeout", ANSWER_TIMEOUT)),
        resolve=_build_resolve(address, cast("Mapping[str, object] | None", value.get("resolve"))),
        ca_file=_require_https(address, cast("str | None", value.get("ca_file"))),
        ca_from_harbor=_require_https(address, cast("str | None", value.get("ca_from_harbor"))),
        client_certificate=client_certificate,
        client_key=client_key,
        system_trust=_read_system_trust(address, value),
        kubelet_login=_read_kubelet_login(address, value),
    )


def _require_image(address: Address, image: str | None) -> str | None:
    if image is not None and (fault := find_image_fault(image, address)):
        raise UsageError(fault)
    return image


def _read_client(address: Address, value: Mapping[str, object]) -> tuple[str | None, str | None]:
    """Return the files of the client certificate and its key. Raises UsageError for one without the other."""
    certificate, key = (cast("str | None", value.get(name)) for name in ("client_certificate", "client_key"))
    if bool(certificate) != bool(key):
        has, lacks = ("client_certificate", "client_key")[:: 1 if certificate else -1]
        raise UsageError.of("client-certificate-incomplete", f"{address} has {has} without {lacks}", f"add {lacks}")
    return _require_https(address, certificate), _require_https(address, key)


def _read_system_trust(address: Address, value: Mapping[str, object]) -> bool:
    """Return whether the CA belongs in the nodes' trust store. Raises UsageError for a registry without a CA."""
    trusts = bool(value.get("system_trust")) and value.get("state") != "absent"
    if trusts and not ("ca_file" in value or "ca_from_harbor" in value):
        message = f"system_trust of {address}: the registry has no CA"
        raise UsageError.of("configuration-invalid", message, "add ca_file or ca_from_harbor")
    return trusts


def _read_kubelet_login(address: Address, value: Mapping[str, object]) -> bool:
    """Return whether kubelet should have the login. Raises UsageError for a registry without credentials."""
    has = bool(value.get("kubelet_login")) and value.get("state") != "absent"
    if has and address.is_docker_hub:
        message = f"kubelet_login of {address}: it is for registries of your own"
        raise UsageError.of("configuration-invalid", message, "use a pull secret for Docker Hub")
    if has and "credentials" not in value:
        message = f"kubelet_login of {address}: the registry has no login"
        raise UsageError.of("credentials-missing", message, "add credentials, or --username and --password-stdin")
    return has


def _require_https(address: Address, authority: str | None) -> str | None:
    if authority is not None and address.scheme != "https":
        message = (
            f"{address} is a registry for plain HTTP, which has no certificate, but it has a CA or client certificate"
        )
        raise UsageError.of("ca-without-https", message, f"write https://{address}, or leave them out")
    return authority


def _build_resolve(address: Address, value: Mapping[str, object] | None) -> ResolvePolicy | None:
    if value is None:
        return None
    if "address" not in value:
        raise UsageError.of("configuration-invalid", f"resolve of {address}: no address", "add 'address: IP-ADDRESS'")
    if address.is_docker_hub or address.is_ip:
        message = f"resolve of {address}: only a host name is resolved"
        raise UsageError.of("configuration-invalid", message, "leave out 'resolve', or address the registry by name")
    return ResolvePolicy(**value)  # type: ignore[arg-type]  # checked key by key in _read_resolve


def _require_one_address(registries: tuple[Registry, ...]) -> None:
    """Raise UsageError if two registries give their one name different addresses on nodes."""
    found: dict[str, str] = {}
    for registry in registries:
        if registry.presence == "present" and registry.resolve and registry.resolve.nodes:
            name, address = registry.address.host.lower(), registry.resolve.address
            if found.setdefault(name, address) != address:
                message = f"resolve: {name} has the addresses {found[name]} and {address}"
                raise UsageError.of("configuration-invalid", message, "give all registries of this name one address")


def _build_credentials(address: Address, value: Mapping[str, object] | None) -> CredentialsSource | None:
    if value is None:
        return None
    given = [source for source in PASSWORD_SOURCES if source in value]
    if len(given) != 1:
        raise UsageError.of(
            "credentials-incomplete",
            f"credentials of {address}: {'more than one' if given else 'no'} password source{_list_in_brackets(given)}",
            f"set exactly one of {', '.join(WRITTEN_SOURCES)}, or use --password-stdin",
        )
    if not value.get("username") and given != ["docker_config"]:
        raise UsageError.of("credentials-incomplete", f"credentials of {address}: no username", "add 'username'")
    return CredentialsSource(**value)  # type: ignore[arg-type]  # checked key by key in _read_credentials


def _list_in_brackets(sources: list[str]) -> str:
    return f" ({', '.join(sources)})" if sources else ""


def _build_secret(value: Mapping[str, object] | None) -> SecretPolicy | None:
    if value is None:
        return None
    # A selector replaces the default namespace; exclusions alone mean all other namespaces.
    default: dict[str, object] = {}
    if "namespace_selector" in value:
        default = {"namespaces": ()}
    elif "exclude_namespaces" in value:
        default = {"namespaces": (ALL_NAMESPACES,)}
    return SecretPolicy(**{**default, **value})  # type: ignore[arg-type]  # checked key by key in _read_secret


def _build_rollout(value: Mapping[str, object]) -> Rollout:
    return Rollout(**value)  # type: ignore[arg-type]  # checked key by key in _read_rollout
