"""Checks settings from harbor-agent.yaml or inventory variables, key by key; an unknown key is an error."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harbor_agent.errors import AgentError
from harbor_agent.formats.redact import mask_userinfo
from harbor_agent.model.address import Address
from harbor_agent.model.policy import ClusterDns, RouteChoice, RuntimeChoice
from harbor_agent.planning.config.reader import Reader, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

WRITTEN_SOURCES = ("password_env", "password_file", "docker_config")
PASSWORD_SOURCES = (*WRITTEN_SOURCES, "password")  # the last comes from --password-stdin only
_OTHER_RUNTIMES = ("k3s", "rke2")
_MAX_PERCENT = 100
_FINGERPRINT = re.compile("[0-9a-f]{64}")
_MIN_DEADLINE = 10  # seconds; no dockerd with containers restarts faster


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLayer:
    """One layer of settings; None or empty means "not set in this layer".

    Registries are mappings of checked values by their keys in harbor-agent.yaml; `merge` makes them values.
    """

    registries: tuple[Mapping[str, object], ...] = ()
    route: RouteChoice | None = None
    runtime: RuntimeChoice | None = None
    rollout: Mapping[str, object] = field(default_factory=dict)
    drift: Mapping[str, object] = field(default_factory=dict)
    kubeconfig: str | None = None


def parse_settings(document: object, source: Source) -> PolicyLayer:
    """Check the parsed harbor-agent.yaml. Raises UsageError that names file and line, and what was expected."""
    top = Reader(source, (), document).require_mapping(
        "registries", "route", "runtime", "rollout", "drift", "kubeconfig"
    )
    return PolicyLayer(
        registries=_read_registries(top.child("registries")),
        route=_read_route(top.child("route")),
        runtime=_read_runtime(top.child("runtime")),
        rollout=_read_rollout(top.child("rollout")),
        drift=_read_drift(top.child("drift")),
        kubeconfig=top.child("kubeconfig").read_text(),
    )


def parse_host_variables(variables: Mapping[str, object], host: str) -> PolicyLayer:
    """Check the variables of this tool among a host's inventory variables. Raises UsageError.

    Variables that start with `harbor_agent_` belong to playbooks/site.yml.
    """
    source = Source(name=f"inventory variables of {host}")
    known = {"harbor_registries", "harbor_route", "harbor_runtime", "harbor_skip"}
    ours = {name: value for name, value in variables.items() if name.startswith("harbor_")}
    ours = {name: value for name, value in ours.items() if not name.startswith("harbor_agent_")}
    top = Reader(source, (), ours).require_mapping(*known)
    registries = top.child("harbor_registries")
    one = isinstance(registries.value, str)
    return PolicyLayer(
        registries=(_read_registry(registries),) if one else _read_registries(registries),
        route=_read_route(top.child("harbor_route")),
        runtime=_read_runtime(top.child("harbor_runtime")),
    )


def _read_registries(reader: Reader) -> tuple[Mapping[str, object], ...]:
    return tuple(_read_registry(item) for item in reader.read_list())


def _read_registry(reader: Reader) -> Mapping[str, object]:
    """Return the keys that are set, their values checked and normalised."""
    if isinstance(reader.value, str):
        return {"address": _read_address(reader)}
    keys = ("address", "state", "verify_image", "credentials", "secret", "answer_timeout")
    certificates = ("ca_file", "ca_from_harbor", "system_trust", "client_certificate", "client_key")
    entry = reader.require_mapping(*keys, *certificates, "resolve", "kubelet_login")
    if entry.child("address").read_text() is None:
        raise reader.build_error("registry without an 'address'", "add 'address: host[:port]', such as 192.168.0.99")
    state = entry.child("state").read_choice("present", "absent")
    values: dict[str, object | None] = {
        "address": _read_address(entry.child("address"), removed=state == "absent"),
        "state": state,
        "verify_image": _read_verify_image(entry.child("verify_image")),
        "credentials": _read_credentials(entry.child("credentials")),
        "secret": _read_secret(entry.child("secret")),
        "answer_timeout": _read_answer_timeout(entry.child("answer_timeout")),
        "ca_file": entry.child("ca_file").read_text(),
        "client_certificate": entry.child("client_certificate").read_text(),
        "client_key": entry.child("client_key").read_text(),
        "ca_from_harbor": _read_fingerprint(entry.child("ca_from_harbor")),
        "system_trust": _read_switch(entry.child("system_trust")),
        "kubelet_login": _read_switch(entry.child("kubelet_login")),
        "resolve": _read_resolve(entry.child("resolve")),
    }
    return {key: value for key, value in values.items() if value is not None}


def _read_address(reader: Reader, *, removed: bool = False) -> Address:
    text = reader.read_text() or ""
    try:
        return Address.parse_removal(text) if removed else Address.parse(text)
    except AgentError as error:
        raise reader.build_error(error.problem.message, error.problem.hint) from None


def _read_verify_image(reader: Reader) -> str | None:
    text = reader.read_text()
    if text is not None and (text.startswith("/") or "://" in text or any(c.isspace() for c in text)):
        raise reader.build_error(
            f"'{mask_userinfo(text)}' is not an image", "write project/repository:tag, without the registry's address"
        )
    return text


def _read_fingerprint(reader: Reader) -> str | None:
    """Return the fingerprint in `{sha256: …}`, "" for an empty mapping, as hexadecimal digits without separators."""
    if reader.value is None:
        return None
    text = reader.require_mapping("sha256").child("sha256").read_text() or ""
    digits = text.replace(":", "").replace(" ", "").lower()
    if digits and not _FINGERPRINT.fullmatch(digits):
        raise reader.build_error(f"'{text}' is not a SHA-256 fingerprint", "write its 64 hexadecimal digits")
    return digits


def _read_resolve(reader: Reader) -> Mapping[str, object] | None:
    if reader.value is None:
        return None
    entry = reader.require_mapping("address", "nodes", "cluster")
    values: dict[str, object] = {}
    if (address := entry.child("address").read_text()) is not None:
        try:
            values["address"] = str(ipaddress.ip_address(address))
        except ValueError:
            raise entry.child("address").build_error(f"'{address}' is not an IP address") from None
    if (nodes := entry.child("nodes").value) is not None:
        if not isinstance(nodes, bool):
            raise entry.child("nodes").build_error("'nodes' must be true or false")
        values["nodes"] = nodes
    if (cluster := entry.child("cluster").value) is not None:
        if cluster not in (ClusterDns.AUTO.value, False):
            raise entry.child("cluster").build_error("'cluster' must be auto or false")
        values["cluster"] = ClusterDns.AUTO if cluster else ClusterDns.FALSE
    return values


def _read_credentials(reader: Reader) -> Mapping[str, object] | None:
    if reader.value is None:
        return None
    entry = reader.require_mapping("username", "email", *PASSWORD_SOURCES)
    if entry.child("password").value is not None:
        raise reader.build_error(
            "passwords are not allowed in this file",
            "use password_env, password_file or docker_config",
        )
    values = {key: entry.child(key).read_text() for key in ("username", "email", *WRITTEN_SOURCES)}
    return {key: value for key, value in values.items() if value is not None}


def _read_secret(reader: Reader) -> Mapping[str, object] | None:
    if reader.value is None:
        return None
    lists = ("namespaces", "exclude_namespaces", "service_accounts")
    entry = reader.require_mapping("name", "namespace_selector", "key_form", "force_insecure", *lists)
    values: dict[str, object | None] = {
        "name": entry.child("name").read_text(),
        "namespace_selector": entry.child("namespace_selector").read_text(),
        "key_form": entry.child("key_form").read_choice("kubesphere", "plain"),
        "force_insecure": _read_switch(entry.child("force_insecure")),
    }
    for key in lists:
        if entry.child(key).value is not None:
            values[key] = entry.child(key).read_texts()
    return {key: value for key, value in values.items() if value is not None}


def _read_answer_timeout(reader: Reader) -> int | str | None:
    return None if reader.value is None else _read_count(reader, percent=False, minimum=1)


def _read_route(reader: Reader) -> RouteChoice | None:
    text = reader.read_choice(*(choice.value for choice in RouteChoice))
    return RouteChoice(text) if text else None


def _read_runtime(reader: Reader) -> RuntimeChoice | None:
    text = reader.read_text()
    if text in _OTHER_RUNTIMES:
        message = f"{reader.name}: '{text}' cannot be chosen; kubelet on a node with it names it"
        raise reader.build_error(message, f"use one of: {', '.join(RuntimeChoice)}")
    reader.read_choice(*(choice.value for choice in RuntimeChoice))
    return RuntimeChoice(text) if text else None


def _read_rollout(reader: Reader) -> Mapping[str, object]:
    entry = reader.require_mapping("canary", "batch", "max_failed", "max_unreachable", "drain", "health_deadline")
    if entry.value is None:
        return {}
    found: dict[str, object] = {}
    for key in ("canary", "batch", "max_failed", "max_unreachable"):
        child = entry.child(key)
        if child.value is not None:
            found[key] = _read_count(child, percent=key != "canary", minimum=1 if key == "batch" else 0)
    deadline = entry.child("health_deadline")
    if deadline.value is not None:
        found["health_deadline"] = _read_count(deadline, percent=False, minimum=_MIN_DEADLINE)
    if (drain := _read_switch(entry.child("drain"))) is not None:
        found["drain"] = drain
    return found


def _read_drift(reader: Reader) -> Mapping[str, object]:
    entry = reader.require_mapping("max_nodes", "max_drifted")
    children = {key: entry.child(key) for key in ("max_nodes", "max_drifted")}
    return {
        key: _read_count(child, percent=key == "max_drifted", minimum=1 if key == "max_nodes" else 0)
        for key, child in children.items()
        if child.value is not None
    }


def _read_switch(reader: Reader) -> bool | None:
    """Return the truth value, None if nothing was written. Raises UsageError for anything else."""
    if reader.value is not None and not isinstance(reader.value, bool):
        raise reader.build_error(f"'{reader.name}' must be true or false")
    return reader.value


def _read_count(reader: Reader, *, percent: bool, minimum: int) -> int | str:
    """Return a whole number of at least `minimum`, or with `percent` also a text such as "10%". Raises UsageError."""
    value = reader.value
    if isinstance(value, int) and not isinstance(value, bool) and value >= minimum:
        return value
    if percent and isinstance(value, str) and value.endswith("%") and value[:-1].isdecimal():
        if 0 < int(value[:-1]) <= _MAX_PERCENT or (minimum == 0 and int(value[:-1]) == 0):
            return value
        raise reader.build_error(f"invalid {reader.name}: '{value}'", f"use {min(minimum, 1)}% to {_MAX_PERCENT}%")
    expected = "a whole number" + (' or a percentage such as "10%"' if percent else "")
    raise reader.build_error(f"'{reader.name}' must be {expected}, at least {minimum}")
