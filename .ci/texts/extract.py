"""The English texts that people read, as message IDs: found in the code of harbor_agent without running it.

An f-string becomes a template with named values: f"cannot reach {server.origin}" is "cannot reach {origin}". Each line
of a text is a message of its own. A text counts if it is prose (two words, and no code) or the argument of `translate`;
a docstring if it is the help of a command; the words of some enumerations.
"""

from __future__ import annotations

import ast
import inspect
import re
from typing import TYPE_CHECKING

from for_programs import is_for_programs
from message_ids import build_templates, find_literal, split

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WORD = re.compile(r"[A-Za-z][a-z]+")
_FEWEST_LETTERS = 3
_UNREAD_CALLS = frozenset(
    {"compile", "match", "search", "fullmatch", "sub", "startswith", "endswith", "execute", "executescript"}
    | {"removeprefix", "removesuffix", "format_examples", "cast", "Setting", "TypeError", "TypeVar"}
)
_UNREAD = (ast.Compare, ast.MatchValue, ast.arg)
# Enumerations whose values are words that people read.
_WORDS = frozenset({"Action", "DriftStatus", "KeyStatus", "Outcome", "Panel", "Retention", "SecretAction", "Step"})
# In texts for a terminal, a word alone is a text too.
_LONE_WORD = re.compile(r"[a-z]{2,}|[A-Z]{2,}")
_OF_LONE_WORDS = ("/views/text/", "/cli/progress.py")
# In reports, so are the names of facts and steps, and what is the status of a subject.
_OF_NAMES = "/views/outline/"
_NAMING = frozenset({"list_facts", "time_steps"})
_IN_TEMPLATE = re.compile(r'\{\{ "([^"]+)" \| t \}\}')


def extract_texts(path: Path) -> list[str]:
    """Return the message IDs of a module, in its order."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = list(_visit(tree, is_help="/cli/" in str(path)))
    if any(part in str(path) for part in _OF_LONE_WORDS):
        texts += _list_lone_words(tree)
    if _OF_NAMES in str(path):
        texts += [word for node in ast.walk(tree) for word in _list_names(node)]
    return texts


def extract_from_template(text: str) -> list[str]:
    """Return the message IDs of a template: its literals with the filter `t`."""
    return _IN_TEMPLATE.findall(text)


def _list_lone_words(tree: ast.AST) -> list[str]:
    """Return the words of a module, except the keys by which it reads documents."""
    keys = {id(one) for node in ast.walk(tree) for one in _list_keys(node)}
    literals = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in keys)
    return [one.value for one in literals if isinstance(one.value, str) and _LONE_WORD.fullmatch(one.value)]


def _list_names(node: ast.AST) -> list[str]:
    match node:
        case ast.keyword(arg="status", value=value):
            named = [value]
        case ast.Call(func=ast.Name(id=name), args=[ast.Dict(keys=keys)]) if name in _NAMING:
            named = [key for key in keys if key is not None]
        case _:
            return []
    found = [part.body if isinstance(part, ast.IfExp) else part for part in named]
    found += [part.orelse for part in named if isinstance(part, ast.IfExp)]
    return [one.value for one in found if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def _list_keys(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Subscript(slice=key):
            return [key]
        case ast.Call(func=ast.Attribute(attr="get" | "encode"), args=arguments, keywords=keywords):
            return [*arguments, *(keyword.value for keyword in keywords)]
    return []


def _visit(node: ast.AST, *, is_help: bool) -> Iterator[str]:
    """Yield the texts of a node and of all below it."""
    if isinstance(node, _UNREAD) or _is_unread(node):
        return
    match node:
        case ast.ClassDef(name=name) if name in _WORDS:
            yield from (one.value.value.replace("_", " ") for one in node.body if _is_word(one))
            return
        case ast.FunctionDef() if is_help and _is_command(node):
            yield from _read_help(node)
        case ast.Call(func=ast.Name(id="translate"), args=[text, *_]):
            yield from (line for line in _build_lines(text) if _WORD.search(find_literal(line)))
        case ast.Constant(value=str()) | ast.JoinedStr() | ast.BinOp(op=ast.Add()):
            yield from (
                line for line in _build_lines(node) if _is_prose(line) and not is_for_programs(line, is_help=is_help)
            )
            for part in split(node):
                if isinstance(part, ast.expr) and part is not node:
                    yield from _visit(part, is_help=is_help)
            return
    for child in ast.iter_child_nodes(node):
        yield from _visit(child, is_help=is_help)


def _build_lines(node: ast.expr) -> Iterator[str]:
    for template in build_templates(node):
        yield from template.split("\n")


def _is_unread(node: ast.AST) -> bool:
    """Whether a statement or call has strings that are no texts: docstrings, patterns, types."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in _UNREAD_CALLS
        case ast.Subscript(value=ast.Name(id="Literal")) | ast.Expr(value=ast.Constant()):
            return True
    return False


def _is_prose(template: str) -> bool:
    """Whether a line has two words, and enough letters besides its values to be recognised."""
    literal = find_literal(template)
    return " " in literal and sum(map(str.isalpha, literal)) >= _FEWEST_LETTERS and bool(_WORD.search(literal))


def _is_word(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)


def _is_command(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr in {"command", "callback"}
        for one in function.decorator_list
    )


def _read_help(function: ast.FunctionDef) -> list[str]:
    """Return the paragraphs of a command's help, each on one line."""
    text = inspect.cleandoc(ast.get_docstring(function) or "")
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph and "\b" not in paragraph]
