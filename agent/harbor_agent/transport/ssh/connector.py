"""Verified, authenticated SSH connections, through bastions where the way leads through some (paramiko)."""

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
from harbor_agent.transport.ssh.client import Forwarded, SshClientTransport
from harbor_agent.transport.ssh.config.target import UnreachableError
from harbor_agent.transport.ssh.handshake import negotiate, verify
from harbor_agent.transport.ssh.known_hosts import GLOBAL_FILES, KnownHosts, default_user_files
from harbor_agent.transport.ssh.paramiko_import import paramiko
from harbor_agent.transport.ssh.sockets import open_proxy, open_socket

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harbor_agent.transport.deadline import Deadline, Watchdog
    from harbor_agent.transport.ssh.config.jumps import JumpPath
    from harbor_agent.transport.ssh.config.settings import HostConfig
    from harbor_agent.transport.ssh.config.target import Target
    from harbor_agent.transport.ssh.proxy_command import ProxyProcess

_SECONDS_BETWEEN_KEEPALIVES = 15
# So that nobody waits again for what has just failed, and a bastion that is back is tried soon.
_SECONDS_TO_BELIEVE_A_FAILURE = 5.0
_CONNECTION_FORBIDDEN = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, 5.1)


@dataclass(slots=True)
class _Bastion:
    """One bastion and the connection to it that everybody shares; whoever holds `lock` opens it."""

    lock: Lock = field(default_factory=Lock)
    transport: SshClientTransport | None = None
    stack: ExitStack = field(default_factory=ExitStack)
    failure: UnreachableError | None = None
    failed_at: float = 0.0


class Connector:
    """Opens connections. Each bastion is logged in to once, however many nodes are behind it, until `close`.

    Host keys are checked against `known_hosts` where given, otherwise against OpenSSH's files; files that a
    configuration names take the place of either. `connect_timeout` is in seconds, for each of connecting, agreeing
    on keys and each login attempt, where the configuration says nothing else.
    """

    def __init__(self, *, connect_timeout: float, known_hosts: Sequence[Path] | None = None) -> None:
        """Connect to nothing yet."""
        self.terminal = Terminal()
        self._connect_timeout = connect_timeout
        self._user_files = tuple(known_hosts) if known_hosts is not None else default_user_files()
        self._global_files = () if known_hosts is not None else GLOBAL_FILES
        self._known_hosts: dict[tuple[Path, ...], KnownHosts] = {}
        self._bastions: dict[tuple[HostConfig, ...], _Bastion] = {}
        self._key_ring = KeyRing(self.terminal)
        self._lock = Lock()

    @contextmanager
    def logged_in(self, route: JumpPath, watch: Watchdog, deadline: Deadline) -> Iterator[SshClientTransport]:
        """Yield a connection to the end of `route` that is logged in. Raises UnreachableError."""
        target = route.target
        # Before anything is open: nobody at the other end waits while somebody looks for a passphrase.
        self._key_ring.open_named(target.settings, deadline.stopping)
        with self.negotiated(route, watch, deadline) as (transport, host_key):
            verify(target, host_key, self.known_hosts(target))
            with watch.over(transport, deadline):
                self._log_in(transport, target, deadline)
                yield transport

    @contextmanager
    def negotiated(
        self, route: JumpPath, watch: Watchdog, deadline: Deadline
    ) -> Iterator[tuple[SshClientTransport, paramiko.PKey]]:
        """Yield a connection to the end of `route` that is neither verified nor logged in, and the host's key."""
        with ExitStack() as stack:
            try:
                yield self._negotiate(route.target, route.bastions, stack, watch, deadline)
            except UnreachableError as error:
                raise error.of(route.target.name) from None

    def known_hosts(self, target: Target) -> KnownHosts:
        """Return the known_hosts files that count for a target, read once."""
        files = self.known_hosts_files(target)
        with self._lock:
            if files not in self._known_hosts:
                self._known_hosts[files] = KnownHosts.load(files)
            return self._known_hosts[files]

    def known_hosts_files(self, target: Target) -> tuple[Path, ...]:
        """Return the files that count for a target, the user's first."""
        settings = target.settings
        everybodys = self._global_files if settings.known_hosts is None else GLOBAL_FILES
        named = settings.global_known_hosts
        return (*self.user_files(target), *(everybodys if named is None else named))

    def user_files(self, target: Target) -> tuple[Path, ...]:
        """Return the known_hosts files that are the user's own."""
        named = target.settings.known_hosts
        return self._user_files if named is None else named

    def forget_known_hosts(self) -> None:
        """Read the known_hosts files again when they are needed."""
        with self._lock:
            self._known_hosts.clear()

    def close(self) -> None:
        """End the connections to all bastions."""
        with self._lock:
            bastions, self._bastions = list(self._bastions.values()), {}
        # The far ones first: they run through the near ones.
        for bastion in reversed(bastions):
            bastion.stack.close()

    def _negotiate(
        self, target: Target, bastions: Sequence[Target], stack: ExitStack, watch: Watchdog, deadline: Deadline
    ) -> tuple[SshClientTransport, paramiko.PKey]:
        """Agree on keys with a target behind `bastions`; what is opened is closed by `stack`."""
        timeout = target.settings.connect_timeout or self._connect_timeout
        proxy: ProxyProcess | None = None
        connection: socket.socket | Forwarded
        if bastions:
            connection = _channel(self._bastion(bastions, watch, deadline), bastions[-1], target, deadline, timeout)
        elif target.settings.proxy_command is not None:
            proxy = open_proxy(target, target.settings.proxy_command)
            stack.callback(proxy.close)
            connection = proxy.socket
        else:
            connection = open_socket(target, deadline.remaining(timeout))
        # Of its own: a transport that has ended by itself closes nothing any more.
        stack.callback(connection.close)
        transport = SshClientTransport(connection)
        stack.callback(transport.close)
        try:
            with watch.over(transport, deadline):
                host_key = negotiate(transport, target, self.known_hosts(target), deadline.remaining(timeout))
        except UnreachableError as error:
            if proxy is None or error.problem.code != "ssh-closed":
                raise
            raise _proxy_failed(target, proxy) from None
        return transport, host_key

    def _bastion(self, chain: Sequence[Target], watch: Watchdog, deadline: Deadline) -> SshClientTransport:
        """Return the connection to the last of `chain`, which everybody shares. Raises UnreachableError."""
        key = tuple(bastion.settings for bastion in chain)
        with self._lock:
            bastion = self._bastions.setdefault(key, _Bastion())
        while not bastion.lock.acquire(timeout=deadline.poll_interval()):
            pass
        try:
            if bastion.failure and time.monotonic() - bastion.failed_at < _SECONDS_TO_BELIEVE_A_FAILURE:
                raise bastion.failure
            if bastion.transport is not None and bastion.transport.is_active():
                return bastion.transport
            with holding_slot():
                return self._log_in_to_bastion(bastion, chain, watch, deadline)
        finally:
            bastion.lock.release()

    def _log_in_to_bastion(
        self, bastion: _Bastion, chain: Sequence[Target], watch: Watchdog, deadline: Deadline
    ) -> SshClientTransport:
        bastion.stack.close()
        target = chain[-1]
        try:
            with ExitStack() as undo:
                transport, host_key = self._negotiate(target, chain[:-1], undo, watch, deadline)
                verify(target, host_key, self.known_hosts(target))
                with watch.over(transport, deadline):
                    self._log_in(transport, target, deadline)
                bastion.transport, bastion.stack = transport, undo.pop_all()
                return transport
        except UnreachableError as error:
            bastion.failure, bastion.failed_at = error, time.monotonic()
            raise
        except (paramiko.SSHException, EOFError, OSError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            bastion.failure = target.error("ssh-closed", f"it ended the connection during the login ({said})")
            bastion.failed_at = time.monotonic()
            raise bastion.failure from None

    def _log_in(self, transport: SshClientTransport, target: Target, deadline: Deadline) -> None:
        transport.auth_timeout = target.settings.connect_timeout or self._connect_timeout
        problem = authenticate(transport, target, self._key_ring, self.terminal, deadline)
        if problem:
            raise target.error(problem.code, problem.message, problem.hint)
        transport.set_keepalive(target.settings.keepalive or _SECONDS_BETWEEN_KEEPALIVES)


def _channel(
    bastion: SshClientTransport, through: Target, target: Target, deadline: Deadline, timeout: float
) -> Forwarded:
    """Open the way from a bastion to the next host. Raises UnreachableError."""
    there = (target.settings.host, target.settings.port)
    who = through.label.removeprefix("its ")
    try:
        channel = bastion.open_channel("direct-tcpip", there, ("127.0.0.1", 0), timeout=deadline.remaining(timeout))
    except paramiko.ChannelException as error:
        said = error.text or "no reason given"
        if error.code == _CONNECTION_FORBIDDEN:
            hint = f"allow it on {through.name}: AllowTcpForwarding and PermitOpen in its sshd_config"
            raise target.error("ssh-bastion-forbids", f"{who} does not forward to it ({said})", hint) from None
        code = "ssh-refused" if "refused" in said else "ssh-timeout" if "timed out" in said else "ssh-no-route"
        raise target.error(code, f"{who} does not get through to it ({said})", "is the machine up?") from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        if bastion.is_active():
            what = f"{who} did not get through to it within {timeout:.0f} s"
            raise target.error("ssh-timeout", what, "is the machine up?") from None
        what = f"the connection to {who} broke ({error})"
        raise target.error("ssh-closed", what, "look at journalctl -u ssh there") from None
    return Forwarded(bastion, channel)


def _proxy_failed(target: Target, proxy: ProxyProcess) -> UnreachableError:
    # its arguments may hold a password, as those of sshpass do
    program, _, arguments = (target.settings.proxy_command or "").strip().partition(" ")
    hint = "run the command by hand; it gets no terminal here, so it cannot ask for a password or a host key"
    shown = f"{program} …" if arguments else program
    return target.error("ssh-proxy-failed", f"its ProxyCommand '{shown}' failed ({proxy.last_words()})", hint)
