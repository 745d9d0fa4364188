"""The bastions in front of each node, each with its own configuration."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.transport.ssh.config.arguments import SshArguments, parse_ssh_arguments
from harbor_agent.transport.ssh.config.host import Destination
from harbor_agent.transport.ssh.config.openssh import ConfigError, SshConfiguration
from harbor_agent.transport.ssh.config.target import (
    UnreachableError,
    build_bastion_target,
    build_node_target,
    format_login,
)

if TYPE_CHECKING:
    from harbor_agent.model.inventory import Node
    from harbor_agent.transport.ssh.config.host import HostConfig
    from harbor_agent.transport.ssh.config.target import Target

_MOST_BASTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class JumpPath:
    """A node and the bastions in front of it, the nearest to the controller first."""

    bastions: tuple[Target, ...]
    target: Target


class JumpResolver:
    """Finds the jump path to each node; resolves each distinct host once."""

    def __init__(self, *, complete: bool = False) -> None:
        """Resolve no host yet; `complete` also reads the options on known_hosts that only affect adding keys."""
        self._configuration = SshConfiguration()
        self._complete = complete
        self._configs: dict[Destination, HostConfig] = {}
        self._lock = Lock()

    def resolve(self, node: Node) -> JumpPath:
        """Return the jump path to `node`. Raises UnreachableError for invalid ssh arguments or configuration."""
        try:
            destination = Destination(
                name=node.address,
                user=node.user,
                port=node.port,
                private_key_file=node.private_key_file,
                arguments=parse_ssh_arguments(node.ssh_common_args),
            )
        except ValueError as error:
            problem = Problem(code="ssh-arguments-invalid", message=f"invalid ssh arguments ({error})")
            raise UnreachableError(problem).add_node_name(node.name) from None
        try:
            config = self._resolve_host(destination)
            bastions = self._resolve_bastions(config, config, destination.arguments, ())
        except UnreachableError as error:
            raise error.add_node_name(node.name) from None
        except ConfigError as error:
            raise UnreachableError(error.problem).add_node_name(node.name) from None
        return JumpPath(bastions=bastions, target=build_node_target(node.name, config, node.password))

    def _resolve_bastions(
        self, end: HostConfig, config: HostConfig, arguments: SshArguments, following: tuple[Target, ...]
    ) -> tuple[Target, ...]:
        """Return the bastions in front of `end`: those in front of the host with `config`, and `following`.

        As in ssh: in a list, all but the first are reached through the one before, and the first as its own
        configuration says. Of the arguments, only the file of `-F` applies to bastions.
        """
        if config.proxy_jump is None:
            return following
        jumps = [_parse_jump(jump, arguments) for jump in config.proxy_jump.split(",")]
        found = [build_bastion_target(jump.name, self._resolve_host(jump)) for jump in jumps]
        chain = (*found, *following)
        logins = [*(format_login(bastion.config) for bastion in chain), format_login(end)]
        if len(set(logins)) < len(logins) or len(logins) > _MOST_BASTIONS:
            raise _describe_loop(logins)
        return self._resolve_bastions(end, found[0].config, arguments, chain)

    def _resolve_host(self, destination: Destination) -> HostConfig:
        with self._lock:
            known = self._configs.get(destination)
        if known is None:
            known = self._configuration.resolve(destination, complete=self._complete)
            with self._lock:
                self._configs[destination] = known
        return known


def _parse_jump(jump: str, arguments: SshArguments) -> Destination:
    """Parse `[user@]host[:port]` or `ssh://…`. Raises ConfigError."""
    rest = jump.strip().removeprefix("ssh://").rstrip("/")
    user, _, location = rest.rpartition("@")
    host, port = location, ""
    if location.startswith("["):
        host, _, tail = location[1:].partition("]")
        port = tail.removeprefix(":")
    elif location.count(":") == 1:
        host, _, port = location.partition(":")
    if not host or (port and not port.isdecimal()):
        raise ConfigError(f"invalid ProxyJump '{jump}': expected [user@]host[:port]")
    return Destination(
        name=host,
        user=user or None,
        port=int(port) if port else None,
        arguments=SshArguments(config_file=arguments.config_file),
    )


def _describe_loop(logins: list[str]) -> UnreachableError:
    message = f"the bastions form a loop: {' -> '.join(logins)}"
    hint = "in ~/.ssh/config, exclude the bastion from a 'Host *' with ProxyJump: 'Host * !BASTION'"
    return UnreachableError(Problem(code="ssh-proxy-loop", message=message, hint=hint))
