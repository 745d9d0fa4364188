"""Errors of Ansible and its ssh, with the codes and messages of the other transports."""

from __future__ import annotations

import re

from harbor_agent.errors import Problem
from harbor_agent.transport.shell.become import PASSWORD_REQUIRED, PASSWORD_WRONG, find_refusal
from harbor_agent.transport.shell.exchange import OUTCOME_UNKNOWN_HINT

_LONGEST_QUOTE = 300
_TRUST = "compare the key with the node's own, then add it to ~/.ssh/known_hosts"

# Messages of OpenSSH's client before the login (ssh.c, sshconnect.c, sshconnect2.c, packet.c, kex.c).
_BEFORE_LOGIN = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        Problem(
            code="host-key-changed", message="the host key has changed", hint=f"if the node was reinstalled: {_TRUST}"
        ),
    ),
    (
        r"marked as revoked|REVOKED HOST KEY",
        Problem(
            code="host-key-revoked",
            message="the host key is revoked",
            hint="give the node a new host key; this one is marked @revoked in known_hosts",
        ),
    ),
    (
        r"Host key verification failed|host key is known for",
        Problem(code="host-key-unknown", message="the host key is not known", hint=_TRUST),
    ),
    (
        r"Permission denied \(|Too many authentication failures|Invalid/incorrect password",
        Problem(
            code="ssh-auth-failed",
            message="login refused",
            hint="check ansible_user and ansible_ssh_private_key_file",
        ),
    ),
    (
        r"Could not resolve hostname|Name or service not known",
        Problem(
            code="ssh-name-unknown",
            message="cannot resolve the host name",
            hint="correct ansible_host, or add the name to DNS or /etc/hosts",
        ),
    ),
    (
        r"Connection refused",
        Problem(
            code="ssh-refused",
            message="connection refused",
            hint="check that sshd is running, and on that port (ansible_port)",
        ),
    ),
    (r"No route to host|Network is unreachable", Problem(code="ssh-no-route", message="cannot connect")),
    (
        r"Connection timed out|Operation timed out|banner exchange|waiting for privilege escalation prompt",
        Problem(code="ssh-timeout", message="no answer in time", hint="check that the machine is up"),
    ),
    (
        r"Unable to negotiate|no matching .* found",
        Problem(
            code="ssh-algorithms",
            message="no common algorithm",
            hint="update the SSH server of the node, or allow current algorithms in its sshd_config",
        ),
    ),
    (
        r"kex_exchange_identification",
        Problem(code="ssh-closed", message="the server closed the connection before login"),
    ),
)


def explain_lost_connection(text: str, mark: str) -> tuple[Problem, bool]:
    """Return the problem of a failed connection, and whether the program may have started.

    Ansible reports a host that was never reached like a connection that was lost later. Only a message of ssh from
    before the login proves that nothing ran, and `mark`, which the program prints first, that it did.
    """
    detail = shorten(text.replace(mark, ""))
    if mark not in text:
        for pattern, problem in _BEFORE_LOGIN:
            if re.search(pattern, text):
                message = f"{problem.message} ({detail})"
                return Problem(code=problem.code, message=message, hint=problem.hint), False
    message = f"connection lost while the program was running ({detail})"
    return Problem(code="connection-lost", message=message, hint=OUTCOME_UNKNOWN_HINT), True


def explain_ansible_error(text: str) -> Problem:
    """Return the problem that Ansible reports before it runs the program."""
    if re.search(r"Incorrect \w+ password", text):
        return PASSWORD_WRONG
    if re.search(r"Missing \w+ password", text):
        return PASSWORD_REQUIRED
    return find_refusal(text) or Problem(
        code="ansible-failed",
        message=f"Ansible did not run the program: {shorten(text)}",
        hint="try: ansible HOST -i INVENTORY -m ansible.builtin.raw -a true -vvv",
    )


def shorten(text: str) -> str:
    """Return the end of `text` on one line, short enough for a message."""
    return " ".join(text.split())[-_LONGEST_QUOTE:]
