"""Logging in with key files, a password, an agent, or answers from the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.transport.ssh.auth.agent import SECONDS_TO_ANSWER, log_in_with_agent, open_agent
from harbor_agent.transport.ssh.auth.keys import iterate_certified, read_public_key
from harbor_agent.transport.ssh.paramiko_import import paramiko

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from harbor_agent.local.terminal import Terminal
    from harbor_agent.transport.deadline import Deadline
    from harbor_agent.transport.ssh.auth.keys import KeyRing
    from harbor_agent.transport.ssh.config.host import HostConfig
    from harbor_agent.transport.ssh.config.target import Target

_PASSWORD_ATTEMPTS = 3


def authenticate(
    transport: paramiko.Transport, target: Target, key_ring: KeyRing, terminal: Terminal, deadline: Deadline
) -> Problem | None:
    """Log in as the user of `target`; return None if that succeeds, otherwise the problem.

    Tries in this order: the key and the password of the inventory, the keys of the ssh configuration, those of the
    agent, encrypted keys of the configuration, and for a bastion the answers that the user types. The inventory comes
    first because servers limit the number of attempts.
    """
    attempts = _Attempts(transport, target.config.user, deadline)
    with open_agent(target.config.agent) as agent:
        keys = _Keys(target.config, key_ring, agent, deadline)
        if any(attempts.try_key(label, key) for label, key in keys.iterate_named()):
            return None
        if target.password is not None and attempts.try_password(target.password.reveal()):
            return None
        if any(attempts.try_key(label, key) for label, key in keys.iterate_others()):
            return None
        if target.may_prompt and _try_prompts(attempts, target, terminal, deadline):
            return None
        return attempts.describe_refusal(keys.unusable, target.login_hint)


def _try_prompts(attempts: _Attempts, target: Target, terminal: Terminal, deadline: Deadline) -> bool:
    """Log in with the answers that the user types to the server's prompts; return whether that succeeds."""
    login = f"{target.config.user}@{target.config.host}"
    count = 0

    def answer_prompt(prompt: str, echo: bool) -> str:  # noqa: FBT001 - paramiko's argument
        nonlocal count
        count += 1
        answer = terminal.ask(f"({login}) {prompt}", stopping=deadline.stopping, echo=echo)
        if answer is None:
            raise paramiko.SSHException("no terminal to prompt on")
        return answer.reveal()

    for _ in range(_PASSWORD_ATTEMPTS):
        if attempts.is_accepted("keyboard-interactive"):
            before = count
            if attempts.try_answers(answer_prompt):
                return True
            if count > before:
                continue
        # A server may accept keyboard-interactive and send no prompt; then only a password is left.
        if not attempts.is_accepted("password"):
            return False
        password = terminal.ask(f"{login}'s password: ", stopping=deadline.stopping)
        if password is None:
            return False
        if attempts.try_password(password.reveal()):
            return True
    return False


class _Keys:
    """The keys for one host in the order of trying them; `unusable` collects the problems of broken keys."""

    def __init__(
        self, config: HostConfig, key_ring: KeyRing, agent: Sequence[paramiko.PKey], deadline: Deadline
    ) -> None:
        self._config = config
        self._key_ring = key_ring
        self._agent = agent
        self._deadline = deadline
        self.unusable: list[Problem] = []

    def iterate_named(self) -> Iterator[tuple[str, paramiko.PKey]]:
        """Yield the key that the inventory names."""
        if self._config.private_key_file is not None:
            yield from self._load_file(self._config.private_key_file)

    def iterate_others(self) -> Iterator[tuple[str, paramiko.PKey]]:
        """Yield the keys of the configuration, or the default ones: unencrypted files, agent keys, encrypted files."""
        files = [file for file in self._config.identity_files if file.exists()]
        encrypted = [file for file in files if self._needs_prompt(file)]
        for file in files:
            if file not in encrypted:
                yield from self._load_file(file)
        if not self._config.identities_only:
            for number, key in enumerate(self._agent, start=1):
                yield f"agent key {number}", key
        for file in encrypted:
            yield from self._load_file(file)

    def _needs_prompt(self, file: Path) -> bool:
        return self._find_in_agent(file) is None and self._key_ring.needs_passphrase(file)

    def _find_in_agent(self, file: Path) -> paramiko.PKey | None:
        public = read_public_key(file) if self._agent else None
        return next((key for key in self._agent if key.asbytes() == public), None)

    def _load_file(self, file: Path) -> Iterator[tuple[str, paramiko.PKey]]:
        agent_key = self._find_in_agent(file)
        loaded = agent_key if agent_key is not None else self._key_ring.load(file, self._deadline.stopping)
        if isinstance(loaded, Problem):
            self.unusable.append(loaded)
            return
        for suffix, key in iterate_certified(loaded, self._config.certificate_files):
            yield f"the key {file}{suffix}", key


class _Attempts:
    """The login attempts on one connection, and the server's replies."""

    def __init__(self, transport: paramiko.Transport, user: str, deadline: Deadline) -> None:
        self._transport = transport
        self._user = user
        self._deadline = deadline
        self._tried: list[str] = []
        self._offered: set[bytes] = set()
        self._answered = False
        self._accepted_methods: tuple[str, ...] | None = None

    def try_key(self, label: str, key: paramiko.PKey) -> bool:
        """Try a key, unless it was tried before or the server no longer accepts keys."""
        offered = key.public_blob.key_blob if key.public_blob else key.asbytes()
        if offered in self._offered or not self.may_try("publickey"):
            return False
        self._offered.add(offered)
        if isinstance(key, paramiko.AgentKey):
            self._transport.auth_timeout = SECONDS_TO_ANSWER
            return self._try(label, lambda: log_in_with_agent(self._transport, self._user, key))
        return self._try(label, lambda: self._transport.auth_publickey(self._user, key))

    def try_password(self, password: str) -> bool:
        """Try a password; paramiko uses it for keyboard-interactive if the server accepts only that."""
        return self._try("the password", lambda: self._transport.auth_password(self._user, password))

    def try_answers(self, answer_prompt: Callable[[str, bool], str]) -> bool:
        """Try keyboard-interactive; `answer_prompt` gets each prompt, and whether to echo the answer."""

        def answer_all(_title: str, _instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
            return [answer_prompt(prompt, echo) for prompt, echo in prompts]

        self._transport.auth_timeout = SECONDS_TO_ANSWER
        return self._try(
            "answers typed at the terminal", lambda: self._transport.auth_interactive(self._user, answer_all)
        )

    def is_accepted(self, method: str) -> bool:
        """Whether the server accepts `method` now; asks the server if that is not known yet."""
        if self._accepted_methods is None and self._transport.is_active():
            try:
                self._transport.auth_none(self._user)
            except paramiko.BadAuthenticationType as error:
                self._accepted_methods = tuple(error.allowed_types)
            except paramiko.SSHException:
                return False
        return self._accepted_methods is not None and self.may_try(method)

    def describe_refusal(self, unusable: Sequence[Problem], hint: str) -> Problem:
        """Return the problem of a failed login, with the attempts made and the methods that the server accepts."""
        if unusable and not self._tried:
            return unusable[0]
        if self._tried and not self._answered:
            hint = "check journalctl -u ssh on the host: MaxStartups, LoginGraceTime, PAM"
            return Problem(code="ssh-closed", message="the server closed the connection during login", hint=hint)
        tried = ", ".join(self._tried) or "nothing: no key, no agent and no password is available"
        methods = f"; the server accepts {', '.join(self._accepted_methods)}" if self._accepted_methods else ""
        broken = "".join(f"; {problem.message}" for problem in unusable)
        return Problem(
            code="ssh-auth-failed",
            message=f"login refused (tried {tried}{methods}{broken})",
            hint=unusable[0].hint if unusable else hint,
        )

    def may_try(self, method: str) -> bool:
        """Whether the connection is alive and the server has not excluded the method."""
        return self._transport.is_active() and (self._accepted_methods is None or method in self._accepted_methods)

    def _try(self, label: str, attempt: Callable[[], list[str]]) -> bool:
        if not self._transport.is_active():
            return False
        self._transport.auth_timeout = self._deadline.remaining(self._transport.auth_timeout)
        self._tried.append(label)
        try:
            remaining_methods = attempt()
        except paramiko.BadAuthenticationType as error:
            self._accepted_methods, self._answered = tuple(error.allowed_types), True
            return False
        except paramiko.AuthenticationException:
            # Also raised if the connection is lost: then this is not the server's reply.
            self._answered = self._answered or self._transport.is_active()
            return False
        except paramiko.SSHException as error:
            self._tried[-1] = f"{label} ({error})"
            self._answered = self._answered or self._transport.is_active()
            return False
        self._answered = True
        if remaining_methods:
            self._accepted_methods = tuple(remaining_methods)
            self._tried[-1] = f"{label} (accepted, but another method is required as well)"
        return self._transport.is_authenticated()
