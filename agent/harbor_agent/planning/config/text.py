"""A new harbor-agent.yaml as text: the chosen settings, each with its meaning, and the defaults as comments."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import yaml

from harbor_agent.planning.config.settings import REGISTRY, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harbor_agent.planning.config.kinds import Setting

_WIDTH = 110
_ONE_LINE = 1 << 20


def render_settings(document: Mapping[str, object], notes: Sequence[str]) -> str:
    """Return the text of a settings file with `document` in it, and `notes` (each becomes one line) at the top."""
    parts = ["\n".join(f"# {' '.join(note.split())}" for note in notes)]
    for setting in SETTINGS.settings:
        value = document.get(setting.key)
        lines = _render_default(setting) if value is None else _render_setting(setting, value, "")
        parts.append("\n".join(lines))
    return "\n\n".join(part for part in parts if part) + "\n"


def _render_setting(setting: Setting, value: object, indent: str) -> Iterator[str]:
    if setting.key == "registries" and isinstance(value, list):
        yield from _render_line(setting, None, indent)
        for item in value:
            yield from _render_registry(item, f"{indent}  ")
    elif isinstance(value, dict):
        yield from _render_line(setting, None, indent)
        for below in setting.kind.settings:
            if below.key in value:
                yield from _render_setting(below, value[below.key], f"{indent}  ")
    else:
        yield from _render_line(setting, value, indent)


def _render_registry(item: object, indent: str) -> Iterator[str]:
    if not isinstance(item, dict):
        yield f"{indent}- {_write(item)}"
        return
    address, *others = (setting for setting in REGISTRY.settings if setting.key in item)
    yield from _render_line(address, item[address.key], f"{indent}- ")
    for setting in others:
        yield from _render_setting(setting, item[setting.key], f"{indent}  ")


def _render_default(setting: Setting) -> Iterator[str]:
    """Yield a setting as a comment with its default; nothing for one that has none."""
    is_list = "array" in str(setting.kind.schema.get("type", ""))
    if setting.kind.settings and not is_list:
        yield from _render_line(setting, None, "# ")
        for below in setting.kind.settings:
            yield from _render_line(below, below.default, "#   ")
    elif setting.default is not None:
        yield from _render_line(setting, setting.default, "# ")


def _render_line(setting: Setting, value: object, indent: str) -> Iterator[str]:
    """Yield the setting with its meaning behind it, or above it if the line would be long."""
    line = f"{indent}{setting.key}:" + ("" if value is None else f" {_write(value)}")
    if len(short := f"{line}  # {setting.meaning}") <= _WIDTH:
        yield short
        return
    margin = " " * (len(indent) - len(indent.lstrip()))
    yield from textwrap.wrap(
        setting.meaning,
        _WIDTH,
        initial_indent=f"{margin}# ",
        subsequent_indent=f"{margin}# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield line


def _write(value: object) -> str:
    """Return a plain value as YAML in one line."""
    written: str = yaml.safe_dump(value, default_flow_style=True, width=_ONE_LINE, allow_unicode=True)
    return written.removesuffix("...\n").strip()
