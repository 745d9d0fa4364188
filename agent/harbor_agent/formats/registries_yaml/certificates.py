"""The certificates for a registry in registries.yaml (`configs.HOST.tls`), written and removed by position.

The form of an addition shows what was there before, as that of an endpoint does (`additions`): a mapping on lines that
becomes empty was added, and so was one in padded brackets inside other brackets.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harbor_agent.formats.registries_yaml.additions import START, fill
from harbor_agent.formats.registries_yaml.document import (
    CONFIGS,
    TLS,
    RegistriesFile,
    as_mapping,
    load_values,
    require_editable,
)
from harbor_agent.formats.registries_yaml.removals import empty_brackets, is_padded, remove_pair
from harbor_agent.formats.registries_yaml.style import Style, detect_style
from harbor_agent.formats.text import Edit, apply_edits
from harbor_agent.formats.yaml.nodes import NotEditableError, is_in_brackets
from harbor_agent.formats.yaml.style import find_end, find_end_of_line, insert_in_brackets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.formats.yaml.nodes import Spot

_PLAIN_KEYS = (CONFIGS, TLS)


def render_certificates(host: str, files: Mapping[str, str]) -> str:
    """Return a registries.yaml with nothing but the certificates for a registry."""
    return "".join(f"{line}\n" for line in _write_lines([CONFIGS, host, TLS], files, 0, Style()))


def set_certificates(content: bytes, host: str, files: Mapping[str, str]) -> bytes:
    """Return the file with these paths in the TLS settings of a registry, each by its key, such as `ca_file`.

    Raises FormatError if the file names another path there, or cannot be edited so that nothing else changes.
    """
    file = RegistriesFile(content)
    known = file.configs.get(host)
    for key, path in files.items():
        if known and known.tls.get(key, path) != path:
            raise NotEditableError(known.line, f"'{key}' of {host} names another file")
    missing = {key: path for key, path in files.items() if not known or key not in known.tls}
    if not missing:
        return content
    text = _insert(file, host, missing)
    values = load_values(file)
    values[CONFIGS] = dict(values.get(CONFIGS) or {})
    settings = dict(values[CONFIGS].get(host) or {})
    values[CONFIGS][host] = {**settings, TLS: {**(settings.get(TLS) or {}), **missing}}
    return _require_values(file, text, values)


def remove_certificates(content: bytes, host: str, files: Mapping[str, str]) -> bytes:
    """Return the file without these paths in the TLS settings of a registry, and what was added around them.

    Raises FormatError if the file cannot be edited so that nothing else changes.
    """
    file = RegistriesFile(content)
    for key, path in files.items():
        known = file.configs.get(host)
        if known is None or known.tls.get(key) != path:
            continue
        text = apply_edits(file.text, [_remove(file.text, _find_chain(file, (CONFIGS, host, TLS, key)))])
        kept = _list_others(load_values(file), host)
        changed = RegistriesFile(file.encode("" if text == START else text))
        if _list_others(load_values(changed), host) != kept:
            raise NotEditableError(known.line, "an edit would change more than this registry")
        file = changed
    return file.encode(file.text)


def _insert(file: RegistriesFile, host: str, files: Mapping[str, str]) -> str:
    keys, text, style = [CONFIGS, host, TLS], file.text, detect_style(file)
    if file.root is None:
        lines = style.line_end.join([*_write_lines(keys, files, 0, style), ""])
        return (lines if text else START + lines) + text
    chain = _find_chain(file, keys)
    spot, missing = chain[-1], keys[len(chain) - 1 :]
    if file.root.is_null:
        raise NotEditableError(file.root.line, "the document holds no mapping")
    require_editable(spot)
    if spot.is_null:
        if spot.in_flow:
            raise NotEditableError(spot.line, "the value is missing inside brackets")
        return apply_edits(text, [fill(spot, f"{{ {_write_inline(missing, files)} }}")])
    node = as_mapping(spot.node)
    if node.flow_style:
        edit = insert_in_brackets(text, node, _write_inline(missing, files), after=len(chain) > 1)
        return apply_edits(text, [edit])
    first = node.value[0][0].start_mark
    written = _write_lines(missing, files, first.column, style)
    if len(chain) == 1:
        written = [written[0].lstrip(), *written[1:], " " * first.column]
        return apply_edits(text, [Edit(start=first.index, end=first.index, text=style.line_end.join(written))])
    at = find_end_of_line(text, find_end(node))
    return apply_edits(text, [Edit(start=at, end=at, text="".join(f"{style.line_end}{line}" for line in written))])


def _find_chain(file: RegistriesFile, keys: list[str] | tuple[str, ...]) -> list[Spot]:
    """Return the values along these keys, as far as they exist, the document first."""
    chain = [file.root] if file.root else []
    for key in keys:
        below = file.manifests.member(chain[-1], key) if chain and not chain[-1].is_null else None
        if below is None:
            break
        chain.append(below)
    return chain


def _remove(text: str, chain: list[Spot]) -> Edit:
    """Remove the last value, and the mappings that become empty by that and were added."""
    *above, holder, spot = chain
    require_editable(spot)
    node = as_mapping(holder.node)
    if len(node.value) > 1 or not above:
        return remove_pair(text, node, spot)
    if not node.flow_style or (is_in_brackets(above[-1].node) and is_padded(text, holder)):
        return _remove(text, chain[:-1])
    return empty_brackets(text, holder)


def _write_lines(keys: list[str], files: Mapping[str, str], column: int, style: Style) -> list[str]:
    lines = []
    for key in keys:
        lines.append(f"{' ' * column}{_write_key(key)}:")
        column += style.indent
    return [*lines, *(f"{' ' * column}{key}: {json.dumps(path)}" for key, path in files.items())]


def _write_inline(keys: list[str], files: Mapping[str, str]) -> str:
    written = ", ".join(f"{json.dumps(key)}: {json.dumps(path)}" for key, path in files.items())
    for key in reversed(keys):
        written = f"{json.dumps(key)}: {{ {written} }}"
    return written


def _write_key(key: str) -> str:
    return key if key in _PLAIN_KEYS else json.dumps(key)


def _list_others(values: Mapping[str, object], host: str) -> dict[str, object]:
    configs = values.get(CONFIGS)
    kept = {key: one for key, one in configs.items() if key != host} if isinstance(configs, dict) else {}
    return {**{key: one for key, one in values.items() if key != CONFIGS}, CONFIGS: kept}


def _require_values(file: RegistriesFile, text: str, values: Mapping[str, object]) -> bytes:
    """Return the bytes of a text that must set these values. Raises NotEditableError."""
    content = file.encode(text)
    if load_values(RegistriesFile(content)) != values:
        raise NotEditableError(1, "an edit would change more than this registry")
    return content
