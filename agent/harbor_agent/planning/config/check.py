"""Everything that is wrong in one settings file: what no run accepts, and what needs an option beside the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import UsageError
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.planning.config.merge import merge
from harbor_agent.planning.config.reader import Reader
from harbor_agent.planning.config.schema import PolicyLayer, check_settings
from harbor_agent.planning.config.settings import REGISTRY, WRITTEN_SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.policy import Registry
    from harbor_agent.planning.config.reader import Place, SettingError, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSettings:
    """The result of a check. `errors` stop every run, `warnings` a run without the option that their hint names.

    `registries` are those without an error, each with its place.
    """

    registries: tuple[tuple[Place, Registry], ...] = ()
    errors: tuple[SettingError, ...] = ()
    warnings: tuple[SettingError, ...] = ()


def check_document(document: object, source: Source) -> CheckedSettings:
    """Check the parsed harbor-agent.yaml as a whole, without what it refers to."""
    layer, errors = check_settings(document, source)
    warnings: list[SettingError] = []
    registries: list[tuple[Place, Registry]] = []
    written = Reader(source, (), document).child("registries")
    for item in written.read_list() if isinstance(written.value, list) else []:
        settings = _read_registry(item)
        if settings is None:
            continue  # its errors are those of the layer
        if (error := _merge_alone(settings, registries, item)) is not None:
            (warnings if _can_options_complete(settings) else errors).append(error)
    if not errors and not warnings:
        try:
            merge([layer])
        except UsageError as error:
            errors.append(source.build_error(written.place, error.problem))
    return CheckedSettings(registries=tuple(registries), errors=tuple(errors), warnings=tuple(warnings))


def _read_registry(item: Reader) -> Mapping[str, object] | None:
    """Return the settings of a registry, None if one of them is wrong."""
    alone = Reader(item.source, item.place, item.value)
    found: object = None
    with alone.collect():
        found = REGISTRY.read(alone)
    return found if isinstance(found, dict) and not alone.errors else None


def _merge_alone(
    settings: Mapping[str, object], registries: list[tuple[Place, Registry]], item: Reader
) -> SettingError | None:
    """Add the registry to `registries`, or return why its settings do not fit together."""
    try:
        (registry,) = merge([PolicyLayer(registries=(settings,))]).registries
    except UsageError as error:
        # A message that does not begin with a key is about the address.
        key = error.problem.message.partition(" ")[0]
        place = (*item.place, key if key in settings else "address")
        return item.source.build_error(place, error.problem)
    registries.append((item.place, registry))
    return None


def _can_options_complete(settings: Mapping[str, object]) -> bool:
    """Whether a run with --username, --password-stdin and --ca-file accepts the registry."""
    written = settings.get("credentials")
    has_source = isinstance(written, dict) and any(source in written for source in WRITTEN_SOURCES)
    options = {
        "address": settings["address"],
        "credentials": {"username": "user"} | ({} if has_source else {"password": Sensitive("password")}),
        **({"ca_file": "ca.crt"} if settings.get("system_trust") else {}),
    }
    try:
        merge([PolicyLayer(registries=(settings, options))])
    except UsageError:
        return False
    return True
