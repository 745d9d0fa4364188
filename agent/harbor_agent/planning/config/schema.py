"""Checks settings from harbor-agent.yaml or inventory variables, key by key; an unknown key is an error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from harbor_agent.model.policy import RouteChoice, RuntimeChoice
from harbor_agent.planning.config import kinds
from harbor_agent.planning.config.kinds import Kind, Setting
from harbor_agent.planning.config.reader import Reader, Source
from harbor_agent.planning.config.sections import build_section
from harbor_agent.planning.config.settings import REGISTRIES, REGISTRY, ROUTE, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.policy import ReceiverSource
    from harbor_agent.planning.config.reader import SettingError

DIALECT = "https://json-schema.org/draft/2020-12/schema"


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
    notify: tuple[ReceiverSource, ...] = ()


def parse_settings(document: object, source: Source) -> PolicyLayer:
    """Check the parsed harbor-agent.yaml. Raises SettingError, the first one, with the line and what was expected."""
    layer, errors = check_settings(document, source)
    if errors:
        raise errors[0]
    return layer


def check_settings(document: object, source: Source) -> tuple[PolicyLayer, list[SettingError]]:
    """Check the parsed harbor-agent.yaml; return the settings that are right, and the errors of all others."""
    return _build_layer(SETTINGS, Reader(source, (), document))


def parse_host_variables(variables: Mapping[str, object], host: str) -> PolicyLayer:
    """Check the variables of this tool among a host's inventory variables. Raises SettingError.

    Variables that start with `harbor_agent_` belong to playbooks/site.yml.
    """
    source = Source(name=f"inventory variables of {host}")
    ours = {name: value for name, value in variables.items() if name.startswith("harbor_")}
    ours = {name: value for name, value in ours.items() if not name.startswith("harbor_agent_")}
    layer, errors = _build_layer(_VARIABLES, Reader(source, (), ours))
    if errors:
        raise errors[0]
    return layer


def build_settings_schema() -> Mapping[str, object]:
    """Return the JSON Schema of harbor-agent.yaml. It accepts every file that the parser accepts.

    It does not know what is an address beyond its form, and what depends on two registries or on options.
    """
    return {
        "$schema": DIALECT,
        "$id": "harbor-agent/settings",
        "title": "settings of harbor-agent (harbor-agent.yaml)",
        **SETTINGS.schema,
    }


def _build_layer(kind: Kind, reader: Reader) -> tuple[PolicyLayer, list[SettingError]]:
    values: dict[str, Any] = {}
    with reader.collect():
        values = cast("dict[str, Any]", kind.read(reader) or {})
    found = {name.removeprefix("harbor_"): value for name, value in values.items() if name != "harbor_skip"}
    for name, choice in (("route", RouteChoice), ("runtime", RuntimeChoice)):
        if name in found:
            found[name] = choice(found[name])
    return PolicyLayer(**found), reader.errors


def _read_variable(reader: Reader) -> object:
    """Return the registries of a variable, which may be one address without a list."""
    return (REGISTRY.read(reader),) if isinstance(reader.value, str) else REGISTRIES.read(reader)


_VARIABLES = build_section(
    Setting("harbor_registries", Kind(read=_read_variable, schema=REGISTRIES.schema), "as `registries`"),
    Setting("harbor_route", ROUTE, "as `route`"),
    Setting("harbor_runtime", kinds.RUNTIME, "as `runtime`"),
    Setting("harbor_skip", Kind(read=lambda _: None, schema={}), "a reason: the node is skipped"),
)
