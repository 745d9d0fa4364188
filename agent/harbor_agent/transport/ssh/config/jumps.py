"""The way to each node: which bastions, each with settings of its own, and the node at the end."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.transport.ssh.config.arguments import SshArguments, parse_ssh_arguments
from harbor_agent.transport.ssh.config.openssh import ConfigError, SshConfiguration
from harbor_agent.transport.ssh.config.settings import Destination
from harbor_agent.transport.ssh.config.target import UnreachableError, bastion_target, node_target, place

if TYPE_CHECKING:
    from harbor_agent.model.inventory import Node
    from harbor_agent.transport.ssh.config.settings import HostConfig
    from harbor_agent.transport.ssh.config.target import Target

_MOST_BASTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class JumpPath:
    """A node and the bastions before it, the nearest first."""

    bastions: tuple[Target, ...]
    target: Target


class JumpResolver:
    """Finds the way to each node, and asks ssh for each distinct host once."""

    def __init__(self, *, thoroughly: bool = False) -> None:
        """Know no way yet; `thoroughly` also finds out about details of known_hosts that no connection depends on."""
        self._configuration = SshConfiguration()
        self._thoroughly = thoroughly
        self._settings: dict[Destination, HostConfig] = {}
        self._lock = Lock()

    def to(self, node: Node) -> JumpPath:
        """Return the way to `node`. Raises UnreachableError where its ssh arguments or the configuration are wrong."""
        try:
            destination = Destination(
                name=node.address,
                user=node.user,
                port=node.port,
                private_key_file=node.private_key_file,
                arguments=parse_ssh_arguments(node.ssh_common_args),
            )
        except ValueError as error:
            problem = Problem(code="ssh-arguments-invalid", message=f"its ssh arguments cannot be read ({error})")
            raise UnreachableError(problem).of(node.name) from None
        try:
            settings = self._resolve(destination)
            bastions = self._bastions(settings, settings, destination.arguments, ())
        except UnreachableError as error:
            raise error.of(node.name) from None
        except ConfigError as error:
            raise UnreachableError(error.problem).of(node.name) from None
        return JumpPath(bastions=bastions, target=node_target(node.name, settings, node.password))

    def _bastions(
        self, end: HostConfig, settings: HostConfig, arguments: SshArguments, after: tuple[Target, ...]
    ) -> tuple[Target, ...]:
        """Return the bastions on the way to `end`: those before the host with `settings`, and `after`.

        As ssh does it: of a list, all but the first are reached through the one before; the first as its own
        configuration says. Of the arguments, bastions get the file of `-F` and nothing else.
        """
        if settings.proxy_jump is None:
            return after
        jumps = [_destination(jump, arguments) for jump in settings.proxy_jump.split(",")]
        found = [bastion_target(jump.name, self._resolve(jump)) for jump in jumps]
        chain = (*found, *after)
        places = [*(place(bastion.settings) for bastion in chain), place(end)]
        if len(set(places)) < len(places) or len(places) > _MOST_BASTIONS:
            raise _loop(places)
        return self._bastions(end, found[0].settings, arguments, chain)

    def _resolve(self, destination: Destination) -> HostConfig:
        with self._lock:
            known = self._settings.get(destination)
        if known is None:
            known = self._configuration.resolve(destination, thoroughly=self._thoroughly)
            with self._lock:
                self._settings[destination] = known
        return known


def _destination(jump: str, arguments: SshArguments) -> Destination:
    """Read `[user@]host[:port]` or `ssh://…`. Raises ConfigError for a port that is none."""
    rest = jump.strip().removeprefix("ssh://").rstrip("/")
    user, _, place_ = rest.rpartition("@")
    host, port = place_, ""
    if place_.startswith("["):
        host, _, tail = place_[1:].partition("]")
        port = tail.removeprefix(":")
    elif place_.count(":") == 1:
        host, _, port = place_.partition(":")
    if not host or (port and not port.isdecimal()):
        raise ConfigError(f"'{jump}' in ProxyJump is no [user@]host[:port]")
    return Destination(
        name=host,
        user=user or None,
        port=int(port) if port else None,
        arguments=SshArguments(config_file=arguments.config_file),
    )


def _loop(places: list[str]) -> UnreachableError:
    message = f"the bastions lead in a circle: {' -> '.join(places)}"
    hint = "in ~/.ssh/config, keep a 'Host *' with ProxyJump away from the bastion: 'Host * !BASTION'"
    return UnreachableError(Problem(code="ssh-proxy-loop", message=message, hint=hint))
