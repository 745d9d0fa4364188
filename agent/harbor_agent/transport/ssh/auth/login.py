"""Logging in over SSH with what there is: key files, a password, the agent, answers from the terminal (paramiko)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.transport.ssh.auth.agent import SECONDS_TO_ANSWER, agent_keys, log_in_with_agent
from harbor_agent.transport.ssh.auth.keys import public_part, with_certificates
from harbor_agent.transport.ssh.paramiko_import import paramiko

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from harbor_agent.local.terminal import Terminal
    from harbor_agent.transport.deadline import Deadline
    from harbor_agent.transport.ssh.auth.keys import KeyRing
    from harbor_agent.transport.ssh.config.settings import HostConfig
    from harbor_agent.transport.ssh.config.target import Target

_PASSWORD_ATTEMPTS = 3


def authenticate(
    transport: paramiko.Transport, target: Target, key_ring: KeyRing, terminal: Terminal, deadline: Deadline
) -> Problem | None:
    """Log in as the settings' user; None where that worked, otherwise why not.

    In this order: the key that the inventory names, its password, the keys of the configuration, those of the agent,
    encrypted keys that nobody named, and for a bastion what it asks for. What the inventory names comes first because
    servers count attempts.
    """
    settings = target.settings
    attempt = _Attempt(transport, settings.user, deadline)
    with agent_keys(settings.agent) as agent:
        keys = _Keys(settings, key_ring, agent, deadline)
        if any(attempt.with_key(label, key) for label, key in keys.named()):
            return None
        if target.password is not None and attempt.with_password(target.password.reveal()):
            return None
        if any(attempt.with_key(label, key) for label, key in keys.others()):
            return None
        if target.may_ask and _answers(attempt, target, terminal, deadline):
            return None
        return attempt.refusal(keys.unusable, target.login_hint)


def _answers(attempt: _Attempt, target: Target, terminal: Terminal, deadline: Deadline) -> bool:
    """Answer what the server asks, with what is typed at the terminal; False where that does not let in."""
    who = f"{target.settings.user}@{target.settings.host}"
    questions = 0

    def ask(question: str, shown: bool) -> str:  # noqa: FBT001 - what paramiko hands over
        nonlocal questions
        questions += 1
        answer = terminal.ask(f"({who}) {question}", stopping=deadline.stopping, echo=shown)
        if answer is None:
            raise paramiko.SSHException("there is no terminal to ask on")
        return answer.reveal()

    for _ in range(_PASSWORD_ATTEMPTS):
        if attempt.accepts("keyboard-interactive"):
            before = questions
            if attempt.with_answers(ask):
                return True
            if questions > before:
                continue
        # A server may offer to ask, and have nothing to ask: then it is the password that it wants.
        if not attempt.accepts("password"):
            return False
        password = terminal.ask(f"{who}'s password: ", stopping=deadline.stopping)
        if password is None:
            return False
        if attempt.with_password(password.reveal()):
            return True
    return False


class _Keys:
    """The keys for one host, in the order in which they are tried; `unusable` fills on the way."""

    def __init__(
        self, settings: HostConfig, key_ring: KeyRing, agent: Sequence[paramiko.PKey], deadline: Deadline
    ) -> None:
        self._settings = settings
        self._key_ring = key_ring
        self._agent = agent
        self._deadline = deadline
        self.unusable: list[Problem] = []

    def named(self) -> Iterator[tuple[str, paramiko.PKey]]:
        """Yield the key that the inventory names."""
        if self._settings.private_key_file is not None:
            yield from self._from_file(self._settings.private_key_file)

    def others(self) -> Iterator[tuple[str, paramiko.PKey]]:
        """Yield the keys of the configuration or the default ones, with the agent's in between."""
        files = [file for file in self._settings.identity_files if file.exists()]
        encrypted = [file for file in files if self._is_only_encrypted(file)]
        for file in files:
            if file not in encrypted:
                yield from self._from_file(file)
        if not self._settings.identities_only:
            for number, key in enumerate(self._agent, start=1):
                yield f"key {number} of the agent", key
        for file in encrypted:
            yield from self._from_file(file)

    def _is_only_encrypted(self, file: Path) -> bool:
        return self._in_agent(file) is None and self._key_ring.needs_passphrase(file)

    def _in_agent(self, file: Path) -> paramiko.PKey | None:
        public = public_part(file) if self._agent else None
        return next((key for key in self._agent if key.asbytes() == public), None)

    def _from_file(self, file: Path) -> Iterator[tuple[str, paramiko.PKey]]:
        held = self._in_agent(file)
        loaded = held if held is not None else self._key_ring.load(file, self._deadline.stopping)
        if isinstance(loaded, Problem):
            self.unusable.append(loaded)
            return
        for suffix, key in with_certificates(loaded, self._settings.certificate_files):
            yield f"the key {file}{suffix}", key


class _Attempt:
    """The tries on one connection, and what the server said to them."""

    def __init__(self, transport: paramiko.Transport, user: str, deadline: Deadline) -> None:
        self._transport = transport
        self._user = user
        self._deadline = deadline
        self._tried: list[str] = []
        self._offered: set[bytes] = set()
        self._answered = False
        self._accepted_methods: tuple[str, ...] | None = None

    def with_key(self, label: str, key: paramiko.PKey) -> bool:
        """Try a key, once."""
        offered = key.public_blob.key_blob if key.public_blob else key.asbytes()
        if offered in self._offered or not self.may_try("publickey"):
            return False
        self._offered.add(offered)
        if isinstance(key, paramiko.AgentKey):
            self._transport.auth_timeout = SECONDS_TO_ANSWER
            return self._try(label, lambda: log_in_with_agent(self._transport, self._user, key))
        return self._try(label, lambda: self._transport.auth_publickey(self._user, key))

    def with_password(self, password: str) -> bool:
        """Try a password; paramiko answers keyboard-interactive with it where the server wants that instead."""
        return self._try("the password", lambda: self._transport.auth_password(self._user, password))

    def with_answers(self, answer: Callable[[str, bool], str]) -> bool:
        """Answer whatever the server asks (keyboard-interactive): `answer` gets each question and whether it shows."""

        def handler(_title: str, _instructions: str, questions: list[tuple[str, bool]]) -> list[str]:
            return [answer(question, shown) for question, shown in questions]

        self._transport.auth_timeout = SECONDS_TO_ANSWER
        return self._try("answers from the terminal", lambda: self._transport.auth_interactive(self._user, handler))

    def accepts(self, method: str) -> bool:
        """Whether the server says that it accepts `method` now; it is asked where it has not said yet."""
        if self._accepted_methods is None and self._transport.is_active():
            try:
                self._transport.auth_none(self._user)
            except paramiko.BadAuthenticationType as error:
                self._accepted_methods = tuple(error.allowed_types)
            except paramiko.SSHException:
                return False
        return self._accepted_methods is not None and self.may_try(method)

    def refusal(self, unusable: Sequence[Problem], hint: str) -> Problem:
        """Say that nothing was accepted, and what was tried."""
        if unusable and not self._tried:
            return unusable[0]
        if self._tried and not self._answered:
            hint = "look at journalctl -u ssh there: MaxStartups, LoginGraceTime, PAM"
            return Problem(code="ssh-closed", message="it ended the connection during the login", hint=hint)
        tried = ", ".join(self._tried) or "nothing: there is no key, no agent and no password"
        methods = f"; it accepts {', '.join(self._accepted_methods)}" if self._accepted_methods else ""
        broken = "".join(f"; {problem.message}" for problem in unusable)
        return Problem(
            code="ssh-auth-failed",
            message=f"the login was refused (tried {tried}{methods}{broken})",
            hint=unusable[0].hint if unusable else hint,
        )

    def may_try(self, method: str) -> bool:
        """Whether the connection lives and the server has not ruled the method out."""
        return self._transport.is_active() and (self._accepted_methods is None or method in self._accepted_methods)

    def _try(self, label: str, attempt: Callable[[], list[str]]) -> bool:
        if not self._transport.is_active():
            return False
        self._transport.auth_timeout = self._deadline.remaining(self._transport.auth_timeout)
        self._tried.append(label)
        try:
            further = attempt()
        except paramiko.BadAuthenticationType as error:
            self._accepted_methods, self._answered = tuple(error.allowed_types), True
            return False
        except paramiko.AuthenticationException:
            # The same is raised where the connection is gone: then this was no answer.
            self._answered = self._answered or self._transport.is_active()
            return False
        except paramiko.SSHException as error:
            self._tried[-1] = f"{label} ({error})"
            self._answered = self._answered or self._transport.is_active()
            return False
        self._answered = True
        if further:
            self._accepted_methods = tuple(further)
            self._tried[-1] = f"{label} (accepted, but not enough)"
        return self._transport.is_authenticated()
