"""What Ansible and its ssh say where a program was not run, in the words and codes of the other transports."""

from __future__ import annotations

import re

from harbor_agent.errors import Problem
from harbor_agent.transport.shell.become import PASSWORD_REQUIRED, PASSWORD_WRONG, refusal

_LONGEST_QUOTE = 300
_TRUST = "compare the key with the node's own, then add it to ~/.ssh/known_hosts"

# What OpenSSH's client says before anything is run (ssh.c, sshconnect.c, sshconnect2.c, packet.c, kex.c).
_BEFORE_THE_LOGIN = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        Problem(code="host-key-changed", message="its host key has changed", hint=f"if it was set up anew: {_TRUST}"),
    ),
    (
        r"marked as revoked|REVOKED HOST KEY",
        Problem(
            code="host-key-revoked",
            message="its host key is revoked",
            hint="give the node a new host key; this one is marked @revoked in known_hosts",
        ),
    ),
    (
        r"Host key verification failed|host key is known for",
        Problem(code="host-key-unknown", message="its host key is not known", hint=_TRUST),
    ),
    (
        r"Permission denied \(|Too many authentication failures|Invalid/incorrect password",
        Problem(
            code="ssh-auth-failed",
            message="the login was refused",
            hint="check ansible_user and ansible_ssh_private_key_file",
        ),
    ),
    (
        r"Could not resolve hostname|Name or service not known",
        Problem(
            code="ssh-name-unknown",
            message="its name does not resolve",
            hint="correct ansible_host, or the name in DNS or /etc/hosts",
        ),
    ),
    (
        r"Connection refused",
        Problem(
            code="ssh-refused",
            message="the connection was refused",
            hint="is sshd running there, and on that port (ansible_port)?",
        ),
    ),
    (r"No route to host|Network is unreachable", Problem(code="ssh-no-route", message="there is no way to it")),
    (
        r"Connection timed out|Operation timed out|banner exchange|waiting for privilege escalation prompt",
        Problem(code="ssh-timeout", message="no answer in time", hint="is the machine up?"),
    ),
    (
        r"Unable to negotiate|no matching .* found",
        Problem(
            code="ssh-algorithms",
            message="there is no common algorithm",
            hint="update the SSH server of the node, or allow current algorithms in its sshd_config",
        ),
    ),
    (r"kex_exchange_identification", Problem(code="ssh-closed", message="it ended the connection before the login")),
)


def connection_problem(text: str, mark: str) -> tuple[Problem, bool]:
    """Return what a failed connection means, and whether any of the program may have run.

    Ansible reports a host that was never reached and a connection that was cut in the middle alike. Only what ssh
    says before the login is proof that nothing ran; `mark`, which the program prints first, that it did.
    """
    said = words_of(text.replace(mark, ""))
    if mark not in text:
        for pattern, problem in _BEFORE_THE_LOGIN:
            if re.search(pattern, text):
                message = f"{problem.message} ({said})"
                return Problem(code=problem.code, message=message, hint=problem.hint), False
    message = f"the connection was lost while the program ran ({said})"
    return Problem(code="connection-lost", message=message, hint="nobody knows yet what the program did"), True


def refusal_by_ansible(text: str) -> Problem:
    """Return what an error of Ansible's own means; nothing was run."""
    if re.search(r"Incorrect \w+ password", text):
        return PASSWORD_WRONG
    if re.search(r"Missing \w+ password", text):
        return PASSWORD_REQUIRED
    return refusal(text) or Problem(
        code="ansible-failed",
        message=f"Ansible did not run the program: {words_of(text)}",
        hint="try: ansible HOST -i INVENTORY -m ansible.builtin.raw -a true -vvv",
    )


def words_of(text: str) -> str:
    """Return `text` as one line that is short enough for a message."""
    return " ".join(text.split())[-_LONGEST_QUOTE:]
