"""What the shell completes beside commands, options and files: names known without asking a node.

A function here never prints, never fails and never takes long. If it has nothing, the shell completes files.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable
from functools import wraps
from threading import Thread
from typing import ParamSpec

import typer

Completions = list[tuple[str, str]]
_Arguments = ParamSpec("_Arguments")
_SECONDS = 2.0
# A pattern of --limit ends with a name after these.
_BEFORE_NAME = re.compile(r"(.*[,:&!])?(.*)", re.DOTALL)


def _complete_quietly(find: Callable[_Arguments, Completions]) -> Callable[_Arguments, Completions]:
    """Return `find` without its errors and its output, and with nothing once it takes long."""

    @wraps(find)
    def find_quietly(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> Completions:
        found: Completions = []

        def collect() -> None:
            with contextlib.suppress(Exception):
                found.extend(find(*arguments, **named))

        with open(os.devnull, "w", encoding="utf-8") as null, contextlib.redirect_stderr(null):  # noqa: PTH123 - a device
            thread = Thread(target=collect, daemon=True)
            thread.start()
            thread.join(_SECONDS)
        return list(found)

    return find_quietly


@_complete_quietly
def complete_run(incomplete: str) -> Completions:
    """Return the newest runs of this controller."""
    from harbor_agent.engine.history.names import list_newest_runs

    return _choose(list_newest_runs(), incomplete)


@_complete_quietly
def complete_past_node(incomplete: str) -> Completions:
    """Return the nodes of the newest runs of this controller."""
    from harbor_agent.engine.history.names import list_past_nodes

    return _choose(((name, "") for name in list_past_nodes()), incomplete)


@_complete_quietly
def complete_node(ctx: typer.Context, incomplete: str) -> Completions:
    """Return the nodes of the inventories named so far, without one those of the newest runs."""
    sources = ctx.params.get("inventory")
    return _choose(_list_hosts(sources), incomplete) if sources else complete_past_node(incomplete)


@_complete_quietly
def complete_limit(ctx: typer.Context, incomplete: str) -> Completions:
    """Return the hosts and groups of the inventories named so far, for the last name of a pattern."""
    from harbor_agent.inventory.outline import list_names

    before, start = (part or "" for part in _BEFORE_NAME.fullmatch(incomplete).groups())  # type: ignore[union-attr]
    names = [*list_names(ctx.params.get("inventory") or ()).items(), ("@failed", "nodes that failed in the last run")]
    return [(before + name, kind) for name, kind in _choose(names, start)]


@_complete_quietly
def complete_context(ctx: typer.Context, incomplete: str) -> Completions:
    """Return the contexts of the kubeconfig named so far, or of the one that kubectl reads."""
    from harbor_agent.engine.completion import list_contexts

    return _choose(list_contexts(ctx.params.get("kubeconfig")), incomplete)


@_complete_quietly
def complete_namespace(ctx: typer.Context, incomplete: str) -> Completions:
    """Return the namespaces of the cluster, if its API answers at once."""
    from harbor_agent.engine.completion import list_cluster_namespaces

    names = list_cluster_namespaces(ctx.params.get("kubeconfig"), ctx.params.get("context"))
    return _choose(((name, "") for name in names), incomplete)


def _list_hosts(sources: Iterable[str]) -> Completions:
    from harbor_agent.inventory.outline import HOST, list_names

    return [(name, "") for name, kind in list_names(sources).items() if kind == HOST]


def _choose(names: Iterable[tuple[str, str]], incomplete: str) -> Completions:
    return [(name, text) for name, text in names if name.startswith(incomplete)]
