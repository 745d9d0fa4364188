"""Message IDs of string expressions: literal text, and a name for each value in it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from itertools import product
from string import Formatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIELD = re.compile(r"\{([a-z_]*)\}")
# Functions and methods that only say how their value is written.
_WRITERS = re.compile(r"^_?(?:format|mask|shorten|clean|quote|strip|list|count|join|render|str|sorted|map|repr)")
_OF_A_TEXT = frozenset({"join", "strip", "removeprefix", "upper", "lower"})
_ENDINGS = frozenset({"s", "es", "y", "ies", "is", "are", "was", "were", "it", "them", ""})


def build_templates(node: ast.expr) -> list[str]:
    """Return the templates of a string, one for each choice between two texts in it."""
    choices = [_list_choices(part) for part in split(node)]
    return [_build_template(parts) for parts in product(*choices)]


def _list_choices(part: str | ast.expr) -> list[str | ast.expr]:
    match part:
        case ast.IfExp(body=ast.Constant(value=str(one)), orelse=ast.Constant(value=str(other))):
            return [part] if _is_ending(one, other) else [one, other]
    return [part]


def _is_ending(one: str, other: str) -> bool:
    """Whether a choice is between endings of a word, such as "s" and ""."""
    return {one, other} <= _ENDINGS


def _build_template(parts: Iterable[str | ast.expr]) -> str:
    """Return a template: braces doubled, each value by its name, a second one numbered."""
    seen: Counter[str] = Counter()

    def name_value(name: str) -> str:
        seen[name] += 1
        return f"{{{name}}}" if seen[name] == 1 else f"{{{name}_{seen[name]}}}"

    pieces = []
    for part in parts:
        if isinstance(part, ast.expr):
            pieces.append(name_value(_name(part)))
            continue
        # "{}" and "{code}" in a literal text are for str.format
        for number, piece in enumerate(_FIELD.split(part)):
            pieces.append(name_value(piece or "value") if number % 2 else piece.replace("{", "{{").replace("}", "}}"))
    return "".join(pieces)


def split(node: ast.expr) -> list[str | ast.expr]:
    """Return the parts of a string expression: literal text and expressions."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=values):
            return [part for value in values for part in split(value)]
        case ast.FormattedValue(value=value):
            return split(value) if isinstance(value, ast.JoinedStr) else [value]
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return [*split(left), *split(right)]
    return [node]


def find_literal(template: str) -> str:
    """Return what a template says besides its values."""
    return "".join(text for text, *_ in Formatter().parse(template))


def find_values(template: str) -> set[str]:
    """Return the names of a template's values. Raises ValueError for braces that are not closed."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def _name(node: ast.expr) -> str:
    """Return a name for a value: its attribute, variable or function; "plural" for the ending of a word."""
    match node:
        case ast.IfExp(body=ast.Constant(value=str(one)), orelse=ast.Constant(value=str(other))):
            return "plural" if _is_ending(one, other) else "value"
    return _find_name(node).strip("_").lower() or "value"


def _find_name(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[value]):
            below: ast.AST = value
        case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in _OF_A_TEXT:
            below = value
        case ast.Call(func=ast.Name(id="len" | "sum")):
            return "count"
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[*_, value]) if _WRITERS.match(name):
            return _find_name(value) or name
        case ast.Call(func=value) | ast.Subscript(value=value) | ast.Starred(value=value) | ast.Await(value=value):
            below = value
        case ast.GeneratorExp(generators=[first, *_]) | ast.ListComp(generators=[first, *_]):
            below = first.iter
        case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, right=other):
            return _find_name(one) or _find_name(other)
        case ast.BoolOp(values=[value, *_]):
            below = value
        case _:
            return ""
    return _find_name(below)
