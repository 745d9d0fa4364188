"""The ways from the login user to root, and what is said where one is closed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from harbor_agent.model.inventory import Become
    from harbor_agent.model.sensitive import Sensitive

PASSWORD_WRONG = Problem(
    code="become-password-wrong",
    message="the password to become root is not accepted",
    hint="correct ansible_become_password",
)
PASSWORD_REQUIRED = Problem(
    code="become-password-required",
    message="a password is needed to become root",
    hint="give it with -K (--ask-become-pass) or ansible_become_password, or allow NOPASSWD in sudoers",
)
TERMINAL_REQUIRED = Problem(
    code="become-requires-tty",
    message="becoming root is only allowed from a terminal (requiretty)",
    hint="take requiretty out of sudoers, or log in as root",
)
_NOT_PERMITTED = Problem(
    code="become-not-permitted",
    message="the login user may not become root",
    hint="allow the user to run /bin/sh as root in sudoers, or log in as root",
)
MISSING = Problem(
    code="become-missing",
    message="the program to become root with is not installed",
    hint="install sudo, set ansible_become_method=su, or log in as root",
)

# What is said with LC_ALL=C by sudo 1.8 and 1.9 (plugins/sudoers/auth/sudo_auth.c, check.c, sudoers.c; src/tgetpass.c)
# and by su of util-linux, shadow and busybox. A wrong password first: sudo goes on to say that one is required.
_REFUSALS = (
    (r"incorrect password|Sorry, try again|su: (?:Authentication failure|Sorry)", PASSWORD_WRONG),
    (r"you must have a tty|must be run from a terminal", TERMINAL_REQUIRED),
    (r"a password is required|a terminal is required|no password was provided|no askpass program", PASSWORD_REQUIRED),
    (r"not in the sudoers file|not allowed to (?:run|execute)|may not run sudo|su: Permission denied", _NOT_PERMITTED),
    (r"(?:sudo|su): (?:command )?not found", MISSING),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WayToRoot:
    """How the shell text in `$run` is run as root.

    Where there is a `prompt`, a password may be asked for: nothing but it may be sent until the program has begun.
    """

    command: str
    prompt: bytes | None = None
    password: Sensitive | None = None


def way_to_root(become: Become | None, nonce: str) -> WayToRoot:
    """Return the way that the inventory asks for; sudo without a password where it says nothing.

    It always leads to root, whatever `become.user` is: nothing here can be done as somebody else.
    """
    password = become.password if become else None
    if become and become.method == "su":
        return WayToRoot(command='su -s /bin/sh -c "$run" root', prompt=b"assword:", password=password)
    if password is None:
        return WayToRoot(command='sudo -H -n -- /bin/sh -c "$run"')
    prompt = f"{nonce}-password:"
    command = f'sudo -H -S -p {prompt} -- /bin/sh -c "$run"'
    return WayToRoot(command=command, prompt=prompt.encode(), password=password)


def refusal(text: str) -> Problem | None:
    """Return what `text` on standard error says against becoming root, None where it is about something else."""
    for pattern, problem in _REFUSALS:
        if re.search(pattern, text):
            return problem
    if re.search(r"^(?:sudo|su): |: (?:sudo|su): ", text, re.MULTILINE):
        return Problem(code="become-failed", message=f"becoming root failed: {' '.join(text.split())[-200:]}")
    return None
