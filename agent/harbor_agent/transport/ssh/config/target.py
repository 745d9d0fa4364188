"""The end of an SSH connection: its configuration, and its name in messages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.transport.ssh.known_hosts import known_names

if TYPE_CHECKING:
    from harbor_agent.model.sensitive import Sensitive
    from harbor_agent.transport.ssh.config.host import HostConfig


class UnreachableError(Exception):
    """A node cannot be reached; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        """Keep the problem."""
        super().__init__(problem.message)
        self.problem = problem

    def add_node_name(self, name: str) -> UnreachableError:
        """Return the same error with the node `name` in front, which the label of a bastion does not contain."""
        if self.problem.message.startswith(f"{name} ("):
            return self
        return UnreachableError(replace(self.problem, message=f"{name}: {self.problem.message}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The end of a connection: a node, or a bastion in front of it.

    `name` is its name in the inventory or the configuration, `label` its name in messages. `password` is for the login;
    `may_prompt` allows to prompt the user for it. `login_hint` is the hint if the login is refused.
    """

    name: str
    config: HostConfig
    label: str
    login_hint: str
    password: Sensitive | None = None
    may_prompt: bool = False

    def error(self, code: str, message: str, hint: str = "") -> UnreachableError:
        """Return the error with the label in front of `message`."""
        return UnreachableError(Problem(code=code, message=f"{self.label}: {message}", hint=hint))

    @property
    def known_names(self) -> tuple[str, ...]:
        """The names of the host in known_hosts, its own first."""
        return known_names(self.config.host, self.config.port, self.config.known_as)


def format_login(config: HostConfig) -> str:
    """Return `user@host:port`, with an IPv6 address in brackets."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"{config.user}@{host}:{config.port}"


def build_node_target(name: str, config: HostConfig, password: Sensitive | None) -> Target:
    """Return the target for a node of the inventory."""
    hint = "check ansible_user and ansible_ssh_private_key_file, or use -k (--ask-pass) to enter a password"
    return Target(
        name=name, config=config, label=f"{name} ({format_login(config)})", login_hint=hint, password=password
    )


def build_bastion_target(name: str, config: HostConfig) -> Target:
    """Return the target for a bastion; messages have the name of the node in front of its label."""
    hint = f"test it with: ssh {name}; set its user with ProxyJump=USER@HOST, its key in ~/.ssh/config or an agent"
    label = f"bastion {name} ({format_login(config)})"
    return Target(name=name, config=config, label=label, login_hint=hint, may_prompt=True)
