"""Verified and authenticated SSH connections, directly or through bastions."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from harbor_agent.local.terminal import Terminal
from harbor_agent.transport.pool import holding_slot
from harbor_agent.transport.ssh.auth.keys import KeyRing
from harbor_agent.transport.ssh.auth.login import authenticate
from harbor_agent.transport.ssh.client import ForwardedChannel, SshClientTransport
from harbor_agent.transport.ssh.config.target import UnreachableError
from harbor_agent.transport.ssh.handshake import negotiate, verify_host_key
from harbor_agent.transport.ssh.known_hosts import GLOBAL_FILES, KnownHosts, default_user_files
from harbor_agent.transport.ssh.paramiko_import import paramiko
from harbor_agent.transport.ssh.sockets import open_proxy, open_socket

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harbor_agent.transport.deadline import Deadline, Watchdog
    from harbor_agent.transport.ssh.config.host import HostConfig
    from harbor_agent.transport.ssh.config.jumps import JumpPath
    from harbor_agent.transport.ssh.config.target import Target
    from harbor_agent.transport.ssh.proxy_command import ProxyProcess

_SECONDS_BETWEEN_KEEPALIVES = 15
# Long enough that other nodes do not wait for the same failure, short enough to notice a bastion that is up again.
_SECONDS_TO_KEEP_A_FAILURE = 5.0
_CONNECTION_FORBIDDEN = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, 5.1)


@dataclass(slots=True)
class _Bastion:
    """One bastion and the shared connection to it; the thread that holds `lock` opens it."""

    lock: Lock = field(default_factory=Lock)
    transport: SshClientTransport | None = None
    stack: ExitStack = field(default_factory=ExitStack)
    failure: UnreachableError | None = None
    failed_at: float = 0.0


class Connector:
    """Opens connections. It logs in to each bastion once for all nodes behind it, and stays logged in until `close`.

    Host keys are checked against the files `known_hosts`, by default OpenSSH's; files in the configuration replace
    either. `connect_timeout` is in seconds, for each of connecting, agreeing on keys and each login attempt, unless
    the configuration sets another one.
    """

    def __init__(self, *, connect_timeout: float, known_hosts: Sequence[Path] | None = None) -> None:
        """Open no connection yet."""
        self.terminal = Terminal()
        self._connect_timeout = connect_timeout
        self._user_files = tuple(known_hosts) if known_hosts is not None else default_user_files()
        self._global_files = () if known_hosts is not None else GLOBAL_FILES
        self._known_hosts: dict[tuple[Path, ...], KnownHosts] = {}
        self._bastions: dict[tuple[HostConfig, ...], _Bastion] = {}
        self._key_ring = KeyRing(self.terminal)
        self._lock = Lock()

    @contextmanager
    def connect(self, jump_path: JumpPath, watchdog: Watchdog, deadline: Deadline) -> Iterator[SshClientTransport]:
        """Yield a connection to the end of `jump_path` that is logged in. Raises UnreachableError."""
        target = jump_path.target
        # Before the connection is open: its server would close it while the user looks for a passphrase.
        self._key_ring.unlock_named_key(target.config, deadline.stopping)
        with self.connect_unverified(jump_path, watchdog, deadline) as (transport, host_key):
            verify_host_key(target, host_key, self.load_known_hosts(target))
            with watchdog.watch(transport, deadline):
                self._log_in(transport, target, deadline)
                yield transport

    @contextmanager
    def connect_unverified(
        self, jump_path: JumpPath, watchdog: Watchdog, deadline: Deadline
    ) -> Iterator[tuple[SshClientTransport, paramiko.PKey]]:
        """Yield a connection to the end of `jump_path`, neither verified nor logged in, and the host's key."""
        with ExitStack() as stack:
            try:
                yield self._negotiate(jump_path.target, jump_path.bastions, stack, watchdog, deadline)
            except UnreachableError as error:
                raise error.add_node_name(jump_path.target.name) from None

    def load_known_hosts(self, target: Target) -> KnownHosts:
        """Return the content of the known_hosts files for a target; each file is read once."""
        files = self.find_known_hosts_files(target)
        with self._lock:
            if files not in self._known_hosts:
                self._known_hosts[files] = KnownHosts.load(files)
            return self._known_hosts[files]

    def find_known_hosts_files(self, target: Target) -> tuple[Path, ...]:
        """Return the known_hosts files for a target, the user's first."""
        config = target.config
        default = self._global_files if config.known_hosts is None else GLOBAL_FILES
        configured = config.global_known_hosts
        return (*self.find_user_files(target), *(default if configured is None else configured))

    def find_user_files(self, target: Target) -> tuple[Path, ...]:
        """Return the user's own known_hosts files for a target."""
        configured = target.config.known_hosts
        return self._user_files if configured is None else configured

    def forget_known_hosts(self) -> None:
        """Read the known_hosts files again when they are needed."""
        with self._lock:
            self._known_hosts.clear()

    def close(self) -> None:
        """Close the connections to all bastions."""
        with self._lock:
            bastions, self._bastions = list(self._bastions.values()), {}
        # The far ones first: their connections run through the near ones.
        for bastion in reversed(bastions):
            bastion.stack.close()

    def _negotiate(
        self, target: Target, bastions: Sequence[Target], stack: ExitStack, watchdog: Watchdog, deadline: Deadline
    ) -> tuple[SshClientTransport, paramiko.PKey]:
        """Agree on keys with a target behind `bastions`; `stack` closes what this opens."""
        timeout = target.config.connect_timeout or self._connect_timeout
        proxy: ProxyProcess | None = None
        connection: socket.socket | ForwardedChannel
        if bastions:
            bastion = self._connect_bastion(bastions, watchdog, deadline)
            connection = _open_channel(bastion, bastions[-1], target, deadline, timeout)
        elif target.config.proxy_command is not None:
            proxy = open_proxy(target, target.config.proxy_command)
            stack.callback(proxy.close)
            connection = proxy.socket
        else:
            connection = open_socket(target, deadline.remaining(timeout))
        # In addition to the transport: one that has ended already closes nothing.
        stack.callback(connection.close)
        transport = SshClientTransport(connection)
        stack.callback(transport.close)
        try:
            with watchdog.watch(transport, deadline):
                host_key = negotiate(transport, target, self.load_known_hosts(target), deadline.remaining(timeout))
        except UnreachableError as error:
            if proxy is None or error.problem.code != "ssh-closed":
                raise
            raise _describe_proxy_failure(target, proxy) from None
        return transport, host_key

    def _connect_bastion(
        self, bastions: Sequence[Target], watchdog: Watchdog, deadline: Deadline
    ) -> SshClientTransport:
        """Return the shared connection to the last of `bastions`. Raises UnreachableError."""
        key = tuple(bastion.config for bastion in bastions)
        with self._lock:
            bastion = self._bastions.setdefault(key, _Bastion())
        while not bastion.lock.acquire(timeout=deadline.poll_interval()):
            pass
        try:
            if bastion.failure and time.monotonic() - bastion.failed_at < _SECONDS_TO_KEEP_A_FAILURE:
                raise bastion.failure
            if bastion.transport is not None and bastion.transport.is_active():
                return bastion.transport
            with holding_slot():
                return self._log_in_to_bastion(bastion, bastions, watchdog, deadline)
        finally:
            bastion.lock.release()

    def _log_in_to_bastion(
        self, bastion: _Bastion, bastions: Sequence[Target], watchdog: Watchdog, deadline: Deadline
    ) -> SshClientTransport:
        bastion.stack.close()
        target = bastions[-1]
        try:
            with ExitStack() as undo:
                transport, host_key = self._negotiate(target, bastions[:-1], undo, watchdog, deadline)
                verify_host_key(target, host_key, self.load_known_hosts(target))
                with watchdog.watch(transport, deadline):
                    self._log_in(transport, target, deadline)
                bastion.transport, bastion.stack = transport, undo.pop_all()
                return transport
        except UnreachableError as error:
            bastion.failure, bastion.failed_at = error, time.monotonic()
            raise
        except (paramiko.SSHException, EOFError, OSError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            bastion.failure = target.error("ssh-closed", f"the server closed the connection during login ({reason})")
            bastion.failed_at = time.monotonic()
            raise bastion.failure from None

    def _log_in(self, transport: SshClientTransport, target: Target, deadline: Deadline) -> None:
        transport.auth_timeout = target.config.connect_timeout or self._connect_timeout
        problem = authenticate(transport, target, self._key_ring, self.terminal, deadline)
        if problem:
            raise target.error(problem.code, problem.message, problem.hint)
        transport.set_keepalive(target.config.keepalive or _SECONDS_BETWEEN_KEEPALIVES)


def _open_channel(
    bastion: SshClientTransport, through: Target, target: Target, deadline: Deadline, timeout: float
) -> ForwardedChannel:
    """Open a channel from the bastion `through` to the next host. Raises UnreachableError."""
    address = (target.config.host, target.config.port)
    try:
        channel = bastion.open_channel("direct-tcpip", address, ("127.0.0.1", 0), timeout=deadline.remaining(timeout))
    except paramiko.ChannelException as error:
        reason = error.text or "no reason given"
        if error.code == _CONNECTION_FORBIDDEN:
            message = f"{through.label} does not allow forwarding to it ({reason})"
            hint = f"set AllowTcpForwarding and PermitOpen in the sshd_config of {through.name}"
            raise target.error("ssh-bastion-forbids", message, hint) from None
        code = "ssh-refused" if "refused" in reason else "ssh-timeout" if "timed out" in reason else "ssh-no-route"
        message = f"{through.label} cannot connect to it ({reason})"
        raise target.error(code, message, "check that the machine is up") from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        if bastion.is_active():
            message = f"{through.label} could not connect to it within {timeout:.0f} s"
            raise target.error("ssh-timeout", message, "check that the machine is up") from None
        message = f"the connection to {through.label} was lost ({error})"
        raise target.error("ssh-closed", message, f"check journalctl -u ssh on {through.name}") from None
    return ForwardedChannel(bastion, channel)


def _describe_proxy_failure(target: Target, proxy: ProxyProcess) -> UnreachableError:
    # Without its arguments: they may contain a password, as those of sshpass do.
    program, _, arguments = (target.config.proxy_command or "").strip().partition(" ")
    hint = "run the command in a shell; here it has no terminal to ask for a password or a host key"
    command = f"{program} …" if arguments else program
    return target.error("ssh-proxy-failed", f"ProxyCommand '{command}' failed ({proxy.describe_end()})", hint)
