"""Settings as written (a YAML file, inventory variables, flags) → `Policy`; pure, and strict about what it reads.

Precedence, lowest first: defaults, harbor-agent.yaml, the node's inventory variables, flags. Registries merge by
normalised address, field by field. Unknown keys are errors with a suggestion.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from agent.errors import AgentError, UsageError
from agent.model.address import Address
from agent.model.policy import CredentialsSource, DriftLimits, Policy, Registry, Rollout, RouteChoice, SecretPolicy
from agent.model.secret import ALL_NAMESPACES
from agent.planning.diff import mask_userinfo

if TYPE_CHECKING:
    from collections.abc import Iterable

Key = str | int
Place = tuple[Key, ...]
_WRITTEN_SOURCES = ("password_env", "password_file", "docker_config")
_PASSWORD_SOURCES = (*_WRITTEN_SOURCES, "password")  # the last comes from --password-stdin only
_HIGHEST_PERCENT = 100
_SHORTEST_DEADLINE = 10  # no dockerd of a node with containers is back sooner


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a value was written: `name` of the file or host, and the line of each place in it (from 1)."""

    name: str
    lines: Mapping[Place, int] = field(default_factory=dict)

    def at(self, place: Place) -> str:
        """Return "name:line" of the nearest known place, or the name alone."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.lines:
                return f"{self.name}:{self.lines[place[:length]]}"
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One layer of settings; None or empty is "not said here". Registries stay mappings until all are merged."""

    registries: tuple[Mapping[str, object], ...] = ()
    route: RouteChoice | None = None
    rollout: Mapping[str, object] = field(default_factory=dict)
    drift: Mapping[str, object] = field(default_factory=dict)
    kubeconfig: str | None = None


def settings_from_file(document: object, source: Source) -> Settings:
    """Read the top level of harbor-agent.yaml. Raises UsageError naming file, line and what was expected."""
    top = _Reader(source, (), document).mapping("registries", "route", "rollout", "drift", "kubeconfig")
    return Settings(
        registries=_registries(top.child("registries")),
        route=_route(top.child("route")),
        rollout=_rollout(top.child("rollout")),
        drift=_drift(top.child("drift")),
        kubeconfig=top.child("kubeconfig").text(),
    )


def settings_from_variables(variables: Mapping[str, object], host: str) -> Settings:
    """Read `harbor_registries` and `harbor_route` of a host's inventory variables. Raises UsageError.

    Variables that begin with `harbor_agent_` are for playbooks/site.yml.
    """
    source = Source(name=f"inventory variables of {host}")
    known = {"harbor_registries", "harbor_route", "harbor_skip"}
    ours = {name: value for name, value in variables.items() if name.startswith("harbor_")}
    ours = {name: value for name, value in ours.items() if not name.startswith("harbor_agent_")}
    top = _Reader(source, (), ours).mapping(*known)
    return Settings(registries=_registries(top.child("harbor_registries")), route=_route(top.child("harbor_route")))


def merge(layers: Iterable[Settings], *, only: tuple[Address, ...] = ()) -> Policy:
    """Merge layers, lowest first, into a policy; `only` restricts it to these addresses and adds what is missing.

    An address with https and the same one with http and `state: absent` are two: a registry that left plain HTTP.
    Raises UsageError where the merged registry makes no sense (a verify image or credentials that are incomplete).
    """
    layers = tuple(layers)
    apart = _plain_and_secure(layers)
    merged: dict[str, dict[str, object]] = {}
    route, kubeconfig = RouteChoice.AUTO, None
    rollout: dict[str, object] = {}
    drift: dict[str, object] = {}
    for layer in layers:
        route = layer.route or route
        kubeconfig = layer.kubeconfig or kubeconfig
        rollout |= layer.rollout
        drift |= layer.drift
        for registry in layer.registries:
            address = cast("Address", registry["address"])
            key = address.url if address.scheme == "http" and address.entry in apart else address.entry
            merged[key] = _deep_merge(merged.get(key, {}), registry)
    if only:
        merged = {a.url: {**merged.get(a.entry, {}), **merged.get(a.url, {}), "address": a} for a in only}
    return Policy(
        registries=tuple(_build_registry(value) for value in merged.values()),
        route=route,
        rollout=_build_rollout(rollout),
        drift=DriftLimits(**drift),  # type: ignore[arg-type]  # checked key by key in _drift
        kubeconfig=kubeconfig,
    )


def _plain_and_secure(layers: tuple[Settings, ...]) -> set[str]:
    """Return the entries that stand for two: wanted with https, while the node's entry for plain HTTP is to go."""
    named = [registry for layer in layers for registry in layer.registries]
    secure = {
        address.entry for address in (cast("Address", one["address"]) for one in named) if address.scheme == "https"
    }
    gone = (cast("Address", one["address"]) for one in named if one.get("state") == "absent")
    return {address.entry for address in gone if address.scheme == "http"} & secure


class _Reader:
    """A value with the place it was written at, so that every complaint can name it."""

    def __init__(self, source: Source, place: Place, value: object) -> None:
        self.source, self.place, self.value = source, place, value

    def child(self, key: Key) -> _Reader:
        value = self.value
        inner = value.get(key) if isinstance(value, Mapping) else None
        return _Reader(self.source, (*self.place, key), inner)

    def items(self) -> list[_Reader]:
        if self.value is None:
            return []
        if not isinstance(self.value, list | tuple):
            raise self.error("a list was expected")
        return [_Reader(self.source, (*self.place, index), item) for index, item in enumerate(self.value)]

    def mapping(self, *known: str) -> _Reader:
        """Check that this is a mapping with known keys only (absent counts as empty)."""
        if self.value is None:
            return self
        if not isinstance(self.value, Mapping):
            raise self.error(f"a mapping with {', '.join(known)} was expected")
        for key in self.value:
            if key not in known:
                close = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(known)}"
                raise _Reader(self.source, (*self.place, key), None).error(f"unknown key '{key}'", hint)
        return self

    def text(self) -> str | None:
        if self.value is None:
            return None
        if not isinstance(self.value, str) or not self.value:
            raise self.error(f"'{self.name}' must be text")
        return self.value

    def texts(self) -> tuple[str, ...]:
        if isinstance(self.value, str):
            return (self.value,)
        return tuple(text for item in self.items() if (text := item.text()) is not None)

    def choice(self, *allowed: str) -> str | None:
        text = self.text()
        if text is not None and text not in allowed:
            raise self.error(f"'{self.name}' is '{text}'", f"one of: {', '.join(allowed)}")
        return text

    @property
    def name(self) -> Key:
        return self.place[-1] if self.place else "document"

    def error(self, message: str, hint: str = "") -> UsageError:
        return UsageError.of("configuration-invalid", f"{self.source.at(self.place)}: {message}", hint)


def _registries(reader: _Reader) -> tuple[Mapping[str, object], ...]:
    return tuple(_registry(item) for item in reader.items())


def _registry(reader: _Reader) -> Mapping[str, object]:
    """Return the keys that were written, checked and normalised."""
    if isinstance(reader.value, str):
        return {"address": _address(reader)}
    entry = reader.mapping("address", "state", "verify_image", "credentials", "secret")
    if entry.child("address").text() is None:
        raise reader.error("a registry needs an 'address'", "write host[:port], such as 192.168.0.99")
    values: dict[str, object | None] = {
        "address": _address(entry.child("address")),
        "state": entry.child("state").choice("present", "absent"),
        "verify_image": _verify_image(entry.child("verify_image")),
        "credentials": _credentials(entry.child("credentials")),
        "secret": _secret(entry.child("secret")),
    }
    return {key: value for key, value in values.items() if value is not None}


def _address(reader: _Reader) -> Address:
    text = reader.text()
    try:
        return Address.parse(text or "")
    except AgentError as error:
        raise reader.error(error.problem.message, error.problem.hint) from None


def _verify_image(reader: _Reader) -> str | None:
    text = reader.text()
    if text is not None and (text.startswith("/") or "://" in text or any(c.isspace() for c in text)):
        raise reader.error(
            f"'{mask_userinfo(text)}' is not an image", "write project/repository:tag, without the registry's address"
        )
    return text


def _credentials(reader: _Reader) -> Mapping[str, object] | None:
    if reader.value is None:
        return None
    entry = reader.mapping("username", "email", *_PASSWORD_SOURCES)
    if entry.child("password").value is not None:
        raise reader.error(
            "a password does not belong into a file like this one",
            "name where it is: password_env, password_file or docker_config",
        )
    values = {key: entry.child(key).text() for key in ("username", "email", *_WRITTEN_SOURCES)}
    return {key: value for key, value in values.items() if value is not None}


def _secret(reader: _Reader) -> Mapping[str, object] | None:
    if reader.value is None:
        return None
    lists = ("namespaces", "exclude_namespaces", "service_accounts")
    entry = reader.mapping("name", "namespace_selector", "key_form", *lists)
    values: dict[str, object | None] = {
        "name": entry.child("name").text(),
        "namespace_selector": entry.child("namespace_selector").text(),
        "key_form": entry.child("key_form").choice("kubesphere", "plain"),
    }
    for key in lists:
        if entry.child(key).value is not None:
            values[key] = entry.child(key).texts()
    return {key: value for key, value in values.items() if value is not None}


def _route(reader: _Reader) -> RouteChoice | None:
    text = reader.choice(*(choice.value for choice in RouteChoice))
    return RouteChoice(text) if text else None


def _rollout(reader: _Reader) -> Mapping[str, object]:
    entry = reader.mapping("canary", "batch", "max_failed", "max_unreachable", "drain", "health_deadline")
    if entry.value is None:
        return {}
    found: dict[str, object] = {}
    for key in ("canary", "batch", "max_failed", "max_unreachable"):
        child = entry.child(key)
        if child.value is not None:
            found[key] = _count(child, percent=key != "canary", least=1 if key == "batch" else 0)
    deadline = entry.child("health_deadline")
    if deadline.value is not None:
        found["health_deadline"] = _count(deadline, percent=False, least=_SHORTEST_DEADLINE)
    drain = entry.child("drain")
    if drain.value is not None:
        if not isinstance(drain.value, bool):
            raise drain.error("'drain' must be true or false")
        found["drain"] = drain.value
    return found


def _drift(reader: _Reader) -> Mapping[str, object]:
    entry = reader.mapping("max_nodes", "max_drifted")
    children = {key: entry.child(key) for key in ("max_nodes", "max_drifted")}
    return {
        key: _count(child, percent=key == "max_drifted", least=1 if key == "max_nodes" else 0)
        for key, child in children.items()
        if child.value is not None
    }


def _count(reader: _Reader, *, percent: bool, least: int) -> int | str:
    value = reader.value
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    if percent and isinstance(value, str) and value.endswith("%") and value[:-1].isdecimal():
        if 0 < int(value[:-1]) <= _HIGHEST_PERCENT or (least == 0 and int(value[:-1]) == 0):
            return value
        raise reader.error(f"'{reader.name}' is {value}", "a percentage up to 100%")
    expected = "a whole number" + (' or a percentage such as "10%"' if percent else "")
    raise reader.error(f"'{reader.name}' must be {expected}, at least {least}")


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
    """Merge credentials: a password source written higher up replaces the one below, whichever kind it was."""
    replaced = any(source in value for source in _PASSWORD_SOURCES)
    kept = {key: v for key, v in below.items() if not (replaced and key in _PASSWORD_SOURCES)}
    return {**kept, **value}


def _build_registry(value: Mapping[str, object]) -> Registry:
    address = cast("Address", value["address"])
    return Registry(
        address=address,
        state=cast("Literal['present', 'absent']", value.get("state", "present")),
        verify_image=cast("str | None", value.get("verify_image")),
        credentials=_build_credentials(address, cast("Mapping[str, object] | None", value.get("credentials"))),
        secret=_build_secret(cast("Mapping[str, object] | None", value.get("secret"))),
    )


def _build_credentials(address: Address, value: Mapping[str, object] | None) -> CredentialsSource | None:
    if value is None:
        return None
    given = [source for source in _PASSWORD_SOURCES if source in value]
    if len(given) != 1:
        raise UsageError.of(
            "credentials-incomplete",
            f"credentials of {address} name {' and '.join(given) or 'no source of the password'}",
            f"exactly one of {', '.join(_WRITTEN_SOURCES)}, or --password-stdin",
        )
    if not value.get("username") and given != ["docker_config"]:
        raise UsageError.of("credentials-incomplete", f"credentials of {address} name no username", "add 'username'")
    return CredentialsSource(**value)  # type: ignore[arg-type]  # checked key by key in _credentials


def _build_secret(value: Mapping[str, object] | None) -> SecretPolicy | None:
    if value is None:
        return None
    # All but some need not be said twice; a selector stands in place of the default namespace.
    somewhere: dict[str, object] = {}
    if "namespace_selector" in value:
        somewhere = {"namespaces": ()}
    elif "exclude_namespaces" in value:
        somewhere = {"namespaces": (ALL_NAMESPACES,)}
    return SecretPolicy(**{**somewhere, **value})  # type: ignore[arg-type]  # checked key by key in _secret


def _build_rollout(value: Mapping[str, object]) -> Rollout:
    return Rollout(**value)  # type: ignore[arg-type]  # checked key by key in _rollout
