"""Login and become passwords, asked for once for all nodes, by options or by settings in ansible.cfg."""

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


def add_passwords(nodes: Sequence[Node], selection: NodeSelection) -> list[Node]:
    """Return the nodes with the passwords that the user is asked for, if the inventory has none for a node.

    Each password is asked for once in the process, on the terminal. Raises UsageError if there is no terminal.
    """
    login, become = ask_passwords(selection)
    return [_add_to_node(node, login, become) for node in nodes]


def ask_passwords(selection: NodeSelection) -> tuple[Sensitive | None, Sensitive | None]:
    """Ask for the login and the become password; None for one that is not asked for or is left empty.

    An empty become password is the login password, as in Ansible. Raises UsageError if there is no terminal.
    """
    asks_login, asks_become = find_questions(selection)
    login = _ask_once("SSH password: ") if asks_login else None
    login = login if login and login.reveal() else None
    if not asks_become:
        return login, None
    default = "[defaults to SSH password]" if login else ""
    become = _ask_once(f"BECOME password{default}: ")
    return login, become if become.reveal() else login


def find_questions(selection: NodeSelection) -> tuple[bool, bool]:
    """Return whether options or ansible.cfg ask for a login password, and whether they ask for a become password."""
    login, become = selection.ask_password, selection.ask_become_password
    if selection.transport == "local":
        return login, become
    from harbor_agent.inventory.load import requires_password_prompts  # noqa: PLC0415 - Ansible's library is slow to import

    by_settings = requires_password_prompts()
    return login or by_settings[0], become or by_settings[1]


def _add_to_node(node: Node, login: Sensitive | None, become: Sensitive | None) -> Node:
    own_become = node.become or Become()
    if become is None or own_become.password is not None:
        return replace(node, password=node.password or login)
    return replace(node, password=node.password or login, become=replace(own_become, password=become))


@cache
def _ask_once(question: str) -> Sensitive:
    from harbor_agent.local.terminal import Terminal  # noqa: PLC0415 - only if something is asked

    answer = Terminal().ask(question)
    if answer is None:
        message = f"cannot ask for the {question.rstrip(': ').partition('[')[0]}: there is no terminal"
        hint = "encrypt it in the inventory with ansible-vault, or log in with a key"
        raise UsageError.of("login-password-missing", message, hint)
    return answer
