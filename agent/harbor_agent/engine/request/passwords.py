"""Passwords typed once for all nodes, as users of Ansible know it: by options, and by settings in ansible.cfg."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from harbor_agent.errors import UsageError
from harbor_agent.model.inventory import Become

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.request.request import NodeSelection
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.sensitive import Sensitive


def with_passwords(nodes: Sequence[Node], selection: NodeSelection) -> list[Node]:
    """Return the nodes with the passwords that `selection` says to ask for, where the inventory has none of their own.

    Each is asked for once a process, on the terminal. Raises UsageError where there is none.
    """
    login, become = asked_passwords(selection)
    return [_with(node, login, become) for node in nodes]


def asked_passwords(selection: NodeSelection) -> tuple[Sensitive | None, Sensitive | None]:
    """Return the password to log in with and the one to become root with, None where none is asked for, or given."""
    login_is_asked, become_is_asked = questions(selection)
    login = _given(_asked("SSH password: ")) if login_is_asked else None
    become = None
    if become_is_asked:
        default = "[defaults to SSH password]" if login else ""
        become = _given(_asked(f"BECOME password{default}: ")) or login
    return login, become


def questions(selection: NodeSelection) -> tuple[bool, bool]:
    """Return whether there is a password to ask for to log in, and one to become root, by options or ansible.cfg."""
    login, become = selection.ask_password, selection.ask_become_password
    if selection.transport == "local":
        return login, become
    from harbor_agent.inventory.load import requires_password_prompts  # noqa: PLC0415 - Ansible's library is slow to import

    by_settings = requires_password_prompts()
    return login or by_settings[0], become or by_settings[1]


def _with(node: Node, login: Sensitive | None, become: Sensitive | None) -> Node:
    way = node.become or Become()
    if become is None or way.password is not None:
        return replace(node, password=node.password or login)
    return replace(node, password=node.password or login, become=replace(way, password=become))


def _given(answer: Sensitive) -> Sensitive | None:
    return answer if answer.reveal() else None


@cache
def _asked(question: str) -> Sensitive:
    from harbor_agent.local.terminal import Terminal  # noqa: PLC0415 - only where something is asked

    answer = Terminal().ask(question)
    if answer is None:
        message = f"there is no terminal to ask for the {question.rstrip(': ').partition('[')[0]} on"
        hint = "keep it in the inventory, encrypted by ansible-vault, or log in with a key"
        raise UsageError.of("login-password-missing", message, hint)
    return answer
