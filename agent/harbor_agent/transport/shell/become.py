"""How the login user becomes root, and the errors of sudo and su."""

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
    message="the become password was rejected",
    hint="correct ansible_become_password, or the password entered for -K (--ask-become-pass)",
)
PASSWORD_REQUIRED = Problem(
    code="become-password-required",
    message="becoming root requires a password",
    hint="use -K (--ask-become-pass), set ansible_become_password, or allow NOPASSWD in sudoers",
)
TERMINAL_REQUIRED = Problem(
    code="become-requires-tty",
    message="becoming root requires a terminal (requiretty)",
    hint="remove requiretty from sudoers, or log in as root",
)
_NOT_PERMITTED = Problem(
    code="become-not-permitted",
    message="the login user is not allowed to become root",
    hint="allow the user to run /bin/sh as root in sudoers, or log in as root",
)
MISSING = Problem(
    code="become-missing",
    message="the program to become root (sudo or su) is not installed",
    hint="install sudo, set ansible_become_method=su, or log in as root",
)

# Messages with LC_ALL=C of sudo 1.8 and 1.9 (plugins/sudoers/auth/sudo_auth.c, check.c, sudoers.c; src/tgetpass.c) and
# of su of util-linux, shadow and busybox. A wrong password first: sudo then also says that a password is required.
_REFUSALS = (
    (r"incorrect password|Sorry, try again|su: (?:Authentication failure|Sorry)", PASSWORD_WRONG),
    (r"you must have a tty|must be run from a terminal", TERMINAL_REQUIRED),
    (r"a password is required|a terminal is required|no password was provided|no askpass program", PASSWORD_REQUIRED),
    (r"not in the sudoers file|not allowed to (?:run|execute)|may not run sudo|su: Permission denied", _NOT_PERMITTED),
    (r"(?:sudo|su): (?:command )?not found", MISSING),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BecomeCommand:
    """A command that runs the shell text in `$run` as root.

    If there is a `prompt`, the command may ask for a password: nothing else may be sent before the program has begun.
    """

    command: str
    prompt: bytes | None = None
    password: Sensitive | None = None


def build_become_command(become: Become | None, nonce: str) -> BecomeCommand:
    """Return the command that the inventory asks for, by default sudo without a password.

    `become.user` is ignored: every privileged program needs root.
    """
    password = become.password if become else None
    if become and become.method == "su":
        return BecomeCommand(command='su -s /bin/sh -c "$run" root', prompt=b"assword:", password=password)
    if password is None:
        return BecomeCommand(command='sudo -H -n -- /bin/sh -c "$run"')
    prompt = f"{nonce}-password:"
    command = f'sudo -H -S -p {prompt} -- /bin/sh -c "$run"'
    return BecomeCommand(command=command, prompt=prompt.encode(), password=password)


def find_refusal(text: str) -> Problem | None:
    """Return the error of sudo or su in `text`, the standard error of a command; None if there is no such error."""
    for pattern, problem in _REFUSALS:
        if re.search(pattern, text):
            return problem
    if re.search(r"^(?:sudo|su): |: (?:sudo|su): ", text, re.MULTILINE):
        return Problem(code="become-failed", message=f"becoming root failed: {' '.join(text.split())[-200:]}")
    return None
