"""Calls through the SSH connection to a node: sshd there connects to the server (direct-tcpip, RFC 4254, 7.2)."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from harbor_agent.model.result import Unanswered
from harbor_agent.transport.calls import SECONDS_PER_CALL, describe_silence, exchange
from harbor_agent.transport.ssh.paramiko_import import paramiko

if TYPE_CHECKING:
    from harbor_agent.transport.calls import Call
    from harbor_agent.transport.deadline import Deadline
    from harbor_agent.transport.ssh.client import SshClientTransport
    from harbor_agent.transport.ssh.config.target import Target

_FORBIDDEN = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, 5.1)


def call_through(transport: SshClientTransport, target: Target, call: Call, deadline: Deadline) -> bytes | Unanswered:
    """Make a call from the node that `transport` is connected to. Raises as paramiko does if the connection ends."""
    timeout = deadline.remaining(SECONDS_PER_CALL)
    try:
        channel = transport.open_channel("direct-tcpip", (call.address, call.port), ("127.0.0.1", 0), timeout=timeout)
    except paramiko.ChannelException as error:
        reason = error.text or "no reason given"
        return _describe_forbidden(target, reason) if error.code == _FORBIDDEN else describe_silence(call, reason)
    except paramiko.SSHException:
        if not transport.is_active():
            raise
        return describe_silence(call, f"no connection within {timeout:g} s")
    with closing(channel):
        return exchange(call, channel)


def _describe_forbidden(target: Target, reason: str) -> Unanswered:
    return Unanswered(
        reason=f"sshd of {target.name} does not allow forwarding ({' '.join(reason.split())})",
        hint="allow it for the login user: AllowTcpForwarding and PermitOpen in sshd_config, authorized_keys",
    )
