"""Warnings of many nodes, folded by their code, so that the changes are not lost among them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.language.current import translate
from harbor_agent.views.text.common import FEW, count_nodes, list_names
from harbor_agent.views.text.style import render_problem, render_warnings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.errors import Problem
    from harbor_agent.views.text.many.groups import NodeText


def fold_warnings(texts: Sequence[NodeText], *, is_verbose: bool) -> tuple[list[NodeText], list[str]]:
    """Return the nodes with their warnings as remarks, and a block for each code that more than a few nodes have.

    With `is_verbose`, each node keeps all of its warnings.
    """
    by_code: dict[str, list[tuple[str, Problem]]] = {}
    for text in () if is_verbose else texts:
        for warning in text.warnings:
            by_code.setdefault(warning.code, []).append((text.name, warning))
    folded = {code: found for code, found in by_code.items() if len({name for name, _ in found}) > FEW}
    kept = [
        replace(text, remarks=tuple(render_warnings(one for one in text.warnings if one.code not in folded)))
        for text in texts
    ]
    return kept, [_render_block(found) for found in folded.values()]


def _render_block(found: Sequence[tuple[str, Problem]]) -> str:
    """Return the block of one code: its message once if all nodes have the same, else the first messages by node."""
    by_message: dict[str, list[str]] = {}
    for name, warning in found:
        by_message.setdefault(warning.message, []).append(name)
    names = list(dict.fromkeys(name for name, _ in found))
    first = found[0][1]
    count = translate(count_nodes(len(names)))
    message, *hint = render_problem(first)
    if len(by_message) == 1:
        return "\n".join(
            [
                f"{count}: {translate('warning: ')}{message.strip()}",
                f"  {translate(list_names(names))}",
                *hint,
            ]
        )
    code = message.removeprefix(f"  {translate(first.message)} ")
    lines = [f"  {translate(list_names(own))}: {translate(text)}" for text, own in list(by_message.items())[:FEW]]
    more = len(by_message) - FEW
    lines += [translate(f"  and {more} more like these; -v shows all")] if more > 0 else []
    return "\n".join([f"{count}: {translate('warning: ').rstrip(': ：')} {code}", *lines, *hint])
