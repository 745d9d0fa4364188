"""How the login user becomes root, and the errors of sudo and su."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.inventory import Become

if TYPE_CHECKING:
    from harbor_agent.model.sensitive import Sensitive

# The text in `$run` has no quote and no dollar sign. su and sudo may clear the environment, and with it LC_ALL.
_RUN_AS_LOGIN = '"/bin/sh -c \\"LC_ALL=C; export LC_ALL; $run\\""'
_SOME_COMMANDS = "if sudoers allows only some commands, such as su, set ansible_become_exe or ansible_become_flags"
PASSWORD_WRONG = Problem(
    code="become-password-wrong",
    message="the become password was rejected",
    hint="correct ansible_become_password, or the password entered for -K (--ask-become-pass)",
)
PASSWORD_REQUIRED = Problem(
    code="become-password-required",
    message="becoming root requires a password",
    hint=f"use -K (--ask-become-pass), set ansible_become_password, or allow NOPASSWD in sudoers; {_SOME_COMMANDS}",
)
TERMINAL_REQUIRED = Problem(
    code="become-requires-tty",
    message="becoming root requires a terminal (requiretty)",
    hint="remove requiretty from sudoers, or log in as root",
)
_NOT_PERMITTED = Problem(
    code="become-not-permitted",
    message="the login user is not allowed to become root",
    hint=f"allow the user to run /bin/sh as root in sudoers, or log in as root; {_SOME_COMMANDS}",
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

    `become.user` is ignored: every privileged program needs root. Words of the inventory come in Ansible's order, with
    the user root, and the command twice in a shell: root's login shell may be any.
    """
    become = become or Become()
    prompt = f"{nonce}-password:"
    ask = f"-S -p {prompt}" if become.password else "-n"
    found = prompt.encode() if become.password else None
    if become.method == "sudosu":
        command = f"sudo -H {ask} su -l root -c {_RUN_AS_LOGIN}"
    elif become.method == "su" and (become.executable or become.flags):
        executable = become.executable or "su"
        found = b"assword:"
        if become.password and re.match(r"(?:/\S*/)?sudo ", executable):
            executable, found = executable.replace("sudo ", f"sudo {ask} ", 1), prompt.encode()
        command = f"{executable} {become.flags} root -c {_RUN_AS_LOGIN}"
    elif become.method == "su":
        command, found = 'su -s /bin/sh -c "$run" root', b"assword:"
    elif become.executable or become.flags:
        flags = _drop_non_interactive(become.flags) if become.password else become.flags
        command = f"{become.executable or 'sudo'} {ask} {flags or '-H'} -u root /bin/sh -c {_RUN_AS_LOGIN}"
        # What else prompts must not get the program in reply.
        found = found or b"assword for "
    else:
        command = f'sudo -H {ask} -- /bin/sh -c "$run"'
    return BecomeCommand(command=command, prompt=found, password=become.password)


def _drop_non_interactive(flags: str) -> str:
    """Return flags of sudo without `-n`, as Ansible does if there is a password."""
    words = [word for word in flags.split() if word not in ("-n", "--non-interactive")]
    return " ".join(re.sub(r"^(-\w+)n(\w*)$|^(-)n(\w+)$", r"\1\2\3\4", word) for word in words)


def find_refusal(text: str) -> Problem | None:
    """Return the error of sudo or su in `text`, the standard error of a command; None if there is no such error."""
    for pattern, problem in _REFUSALS:
        if re.search(pattern, text):
            return problem
    if re.search(r"^(?:sudo|su): |: (?:sudo|su): ", text, re.MULTILINE):
        return Problem(code="become-failed", message=f"becoming root failed: {' '.join(text.split())[-200:]}")
    return None
