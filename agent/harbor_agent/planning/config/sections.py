"""Mappings and lists of settings: read key by key with every error collected, and described as JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.planning.config.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.planning.config.kinds import Schema, Setting
    from harbor_agent.planning.config.reader import Reader


def build_section(*settings: Setting, rules: Schema | None = None) -> Kind:
    """Return the kind of a mapping with these settings; `rules` are more of its JSON Schema."""
    properties = {one.key: _describe_setting(one) for one in settings}
    return Kind(
        read=lambda reader: _read_settings(reader, settings),
        schema={
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": properties,
            **(rules or {}),
        },
        settings=settings,
    )


def _read_settings(reader: Reader, settings: Sequence[Setting]) -> dict[str, object] | None:
    """Return the settings that are written and right, None without a mapping. Errors of settings are collected."""
    entry = reader.require_mapping(*(one.key for one in settings))
    if entry.value is None:
        return None
    values: dict[str, object] = {}
    for one in settings:
        with entry.collect():
            value = one.kind.read(entry.child(one.key))
            if value is not None:
                values[one.key] = value
    return values


def build_list(item: Kind) -> Kind:
    """Return the kind of a list; items with an error are left out, and their errors collected."""
    return Kind(
        read=lambda reader: _read_items(reader, item),
        schema={"type": ["array", "null"], "items": item.schema},
        settings=item.settings,
    )


def _read_items(reader: Reader, item: Kind) -> tuple[object, ...]:
    found: list[object] = []
    for one in reader.read_list():
        before = len(reader.errors)
        with one.collect():
            value = item.read(one)
            if value is not None and len(reader.errors) == before:
                found.append(value)
    return tuple(found)


def allow_one_of(*keys: str) -> list[Schema]:
    """Return rules of JSON Schema: at most one of these keys may have a value."""
    return [
        _build_rule(key, {"properties": {other: {"type": "null"} for other in keys if other != key}}) for key in keys
    ]


def require_both(one: str, other: str) -> list[Schema]:
    """Return rules of JSON Schema: both of these keys have a value, or none."""
    return [
        _build_rule(has, {"required": [lacks], "properties": {lacks: {"type": "string"}}})
        for has, lacks in ((one, other), (other, one))
    ]


def _build_rule(key: str, then: Schema) -> Schema:
    has_value = {"type": "object", "required": [key], "properties": {key: {"not": {"type": "null"}}}}
    return {"if": has_value, "then": then}


def _describe_setting(one: Setting) -> Schema:
    """Return the schema of a setting; editors show the Markdown, and escape it in the description."""
    default = {} if one.default is None else {"default": one.default}
    return {"description": one.meaning, "markdownDescription": one.meaning, **one.kind.schema, **default}
