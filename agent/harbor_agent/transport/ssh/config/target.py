"""Where an SSH connection goes and as whom, with the words for it in messages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.transport.ssh.known_hosts import known_names

if TYPE_CHECKING:
    from harbor_agent.model.sensitive import Sensitive
    from harbor_agent.transport.ssh.config.settings import HostConfig


class UnreachableError(Exception):
    """There is no way to a node; `problem` says why, naming where it was looked for."""

    def __init__(self, problem: Problem) -> None:
        """Keep the problem."""
        super().__init__(problem.message)
        self.problem = problem

    def of(self, name: str) -> UnreachableError:
        """Return the same error, said of the node `name`, which a bastion's problem does not mention by itself."""
        if self.problem.message.startswith(f"{name} ("):
            return self
        return UnreachableError(replace(self.problem, message=f"{name}: {self.problem.message}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One end of a connection: a node, or a bastion on the way to it.

    `name` is what the inventory or the configuration calls it, `password` logs in there, `may_ask` allows to ask
    whoever sits at the terminal for what the login takes. `login_hint` says what to do where the login is refused.
    """

    name: str
    settings: HostConfig
    label: str
    login_hint: str
    password: Sensitive | None = None
    may_ask: bool = False

    def error(self, code: str, what: str, hint: str = "") -> UnreachableError:
        """Build the error that says `what` of this target."""
        return UnreachableError(Problem(code=code, message=f"{self.label}: {what}", hint=hint))

    @property
    def known_names(self) -> tuple[str, ...]:
        """The names of the host in known_hosts, its own first."""
        return known_names(self.settings.host, self.settings.port, self.settings.known_as)


def place(settings: HostConfig) -> str:
    """Return `user@host:port` as messages show it."""
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{settings.user}@{shown}:{settings.port}"


def node_target(name: str, settings: HostConfig, password: Sensitive | None) -> Target:
    """Return the target that a node of the inventory is."""
    hint = "check ansible_user and ansible_ssh_private_key_file; -k (--ask-pass) asks for a password"
    return Target(name=name, settings=settings, label=f"{name} ({place(settings)})", login_hint=hint, password=password)


def bastion_target(name: str, settings: HostConfig) -> Target:
    """Return the target that a bastion is; its label leaves room for the node's name in front."""
    hint = f"try it with: ssh {name}; name its user in ProxyJump=USER@HOST, its key in ~/.ssh/config or an agent"
    label = f"its bastion {name} ({place(settings)})"
    return Target(name=name, settings=settings, label=label, login_hint=hint, may_ask=True)
