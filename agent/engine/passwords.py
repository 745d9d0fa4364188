"""Passwords typed once for all nodes: `--ask-pass` and `--ask-become-pass`, as users of Ansible know them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from agent.errors import UsageError
from agent.model.inventory import Become

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.engine.request import Reach
    from agent.model.inventory import Node
    from agent.model.sensitive import Sensitive


def with_passwords(nodes: Sequence[Node], reach: Reach) -> list[Node]:
    """Return the nodes with the passwords that `reach` says to ask for, where the inventory has none of their own.

    Each is asked for once a process, on the terminal. Raises UsageError where there is none.
    """
    login, become = asked_passwords(reach)
    return [_with(node, login, become) for node in nodes]


def asked_passwords(reach: Reach) -> tuple[Sensitive | None, Sensitive | None]:
    """Return the password to log in with and the one to become root with, None where none is asked for."""
    login = _asked("SSH password: ") if reach.ask_password else None
    become = None
    if reach.ask_become_password:
        default = "[defaults to SSH password]" if login else ""
        become = _asked(f"BECOME password{default}: ")
        become = become if become.reveal() or login is None else login
    return login, become


def _with(node: Node, login: Sensitive | None, become: Sensitive | None) -> Node:
    way = node.become or Become()
    if become is None or way.password is not None:
        return replace(node, password=node.password or login)
    return replace(node, password=node.password or login, become=replace(way, password=become))


@cache
def _asked(question: str) -> Sensitive:
    from agent.transport.terminal import Terminal  # noqa: PLC0415 - only where something is asked

    answer = Terminal().ask(question)
    if answer is None:
        message = f"there is no terminal to ask for the {question.rstrip(': ').partition('[')[0]} on"
        hint = "keep it in the inventory, encrypted by ansible-vault, or log in with a key"
        raise UsageError.of("login-password-missing", message, hint)
    return answer
