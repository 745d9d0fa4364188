"""A verified, authenticated SSH connection to one node (paramiko)."""

from __future__ import annotations

import ipaddress
import socket
import time
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from agent.errors import Problem
from agent.transport.authentication import authenticate
from agent.transport.known_hosts import SSH_PORT, Verdict, fingerprint
from agent.transport.ssh_library import paramiko

if TYPE_CHECKING:
    from agent.model.inventory import Node
    from agent.transport.authentication import KeyRing
    from agent.transport.deadline import Deadline
    from agent.transport.known_hosts import KnownHosts

_SECONDS_BETWEEN_KEEPALIVES = 15

# What paramiko 5 knows less what is broken or weak: CBC modes, 3DES, MD5, SHA-1. Authenticated modes first: one pass
# in C for each packet.
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
_MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
_KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


class UnreachableError(Exception):
    """There is no way to a node; `problem` says why, naming the node and where it was looked for."""

    def __init__(self, problem: Problem) -> None:
        """Keep the problem."""
        super().__init__(problem.message)
        self.problem = problem


class Target:
    """Where a node is reached and as whom, with the words for it in messages."""

    def __init__(self, node: Node, user: str) -> None:
        """Take the address of `node`, to log in as `user`."""
        self.node = node
        self.user = user
        self.host = node.address
        self.port = node.port or SSH_PORT
        shown = f"[{self.host}]" if ":" in self.host else self.host
        self.label = f"{node.name} ({user}@{shown}:{self.port})"

    def error(self, code: str, what: str, hint: str = "") -> UnreachableError:
        """Build the error that says `what` of this node."""
        return UnreachableError(Problem(code=code, message=f"{self.label}: {what}", hint=hint))


def open_socket(target: Target, timeout: float) -> socket.socket:
    """Connect to the node's SSH port within `timeout` seconds, the name included. Raises UnreachableError."""
    end = time.monotonic() + timeout
    places = _resolve(target, timeout)
    failure = OSError("no address")
    for number, (family, place) in enumerate(places):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(max(0.1, (end - time.monotonic()) / (len(places) - number)))
            connection.connect(place)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise _no_connection(target, failure, timeout)


def _resolve(target: Target, timeout: float) -> list[tuple[socket.AddressFamily, Any]]:
    """Look the name up on a thread of its own: getaddrinfo has no timeout."""
    answers: SimpleQueue[list[tuple[socket.AddressFamily, Any]] | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            answers.put([(family, place) for family, _, _, _, place in found])
        except (OSError, UnicodeError) as error:
            answers.put(error)

    if _is_literal(target.host):
        look_up()
    else:
        Thread(target=look_up, daemon=True, name="resolve").start()
    hint = "correct ansible_host, or the name in DNS or /etc/hosts"
    try:
        answer = answers.get(timeout=timeout)
    except Empty:
        message = f"its name was not resolved within {timeout:.0f} s"
        raise target.error("ssh-name-unknown", message, "does the name server answer?") from None
    if isinstance(answer, Exception):
        reason = answer.strerror if isinstance(answer, OSError) else "not a host name"
        raise target.error("ssh-name-unknown", f"its name does not resolve ({reason})", hint)
    return answer


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _no_connection(target: Target, failure: OSError, timeout: float) -> UnreachableError:
    match failure:
        case TimeoutError():
            return target.error("ssh-timeout", f"no answer within {timeout:.0f} s", "is the machine up?")
        case ConnectionRefusedError():
            hint = "is sshd running there, and on that port (ansible_port)?"
            return target.error("ssh-refused", "the connection was refused", hint)
        case _:
            return target.error("ssh-no-route", f"there is no way to it ({failure.strerror or failure})")


def negotiate(transport: paramiko.Transport, target: Target, known_hosts: KnownHosts, timeout: float) -> None:
    """Agree on keys within `timeout` seconds and verify the host key. Raises UnreachableError.

    Key types that known_hosts has for the host are asked for first, as OpenSSH does.
    """
    transport.banner_timeout = transport.handshake_timeout = timeout
    begin = time.monotonic()
    options = transport.get_security_options()
    options.ciphers = _CIPHERS
    options.digests = _MACS
    known = known_hosts.key_types(target.host, target.port)
    preferred = [name for key_type in known for name in _SIGNATURES.get(key_type, (key_type,)) if name in _KEY_TYPES]
    options.key_types = tuple(dict.fromkeys([*preferred, *_KEY_TYPES]))
    try:
        transport.start_client(timeout=timeout)
        host_key = transport.get_remote_server_key()
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise _no_common_algorithm(target, str(error)) from None
    except Exception as error:  # noqa: BLE001 - what a stranger sends can raise anything in paramiko's parsers
        if time.monotonic() - begin >= timeout:
            what = f"it accepts connections but sshd said nothing within {timeout:.0f} s"
            raise target.error("ssh-timeout", what, "is sshd overloaded or stuck?") from None
        raise target.error("ssh-closed", f"it ended the connection before the login ({_words(error)})") from None
    _verify(target, host_key, known_hosts)


def log_in(transport: paramiko.Transport, target: Target, key_ring: KeyRing, deadline: Deadline) -> None:
    """Authenticate. Raises UnreachableError where the node accepts nothing that there is."""
    problem = authenticate(transport, target.node, target.user, key_ring, deadline)
    if problem:
        raise target.error(problem.code, problem.message, problem.hint)
    transport.set_keepalive(_SECONDS_BETWEEN_KEEPALIVES)


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _no_common_algorithm(target: Target, said: str) -> UnreachableError:
    kinds = {
        "kex": "key exchange",
        "host key": "host key (an old sshd that offers only ssh-rsa with SHA-1 or ssh-dss is not spoken to)",
        "ciphers": "cipher",
        "macs": "message authentication code",
    }
    kind = next((words for sign, words in kinds.items() if sign in said), "protocol version")
    hint = "update the SSH server of the node, or allow current algorithms in its sshd_config"
    return target.error("ssh-algorithms", f"there is no common {kind}", hint)


def _verify(target: Target, key: paramiko.PKey, known_hosts: KnownHosts) -> None:
    key_type, blob = key.get_name(), key.asbytes()
    name = target.host if target.port == SSH_PORT else f"[{target.host}]:{target.port}"
    line = f"{name} {key_type} {key.get_base64()}"
    trust = f"compare it with the node's own, then add this line to ~/.ssh/known_hosts: {line}"
    presented = f"{key_type} {fingerprint(blob)}"
    match known_hosts.check(target.host, target.port, key_type, blob):
        case Verdict.KNOWN:
            return
        case Verdict.REVOKED:
            hint = "give the node a new host key; this one is marked @revoked in known_hosts"
            raise target.error("host-key-revoked", f"its host key is revoked ({presented})", hint)
        case Verdict.CHANGED:
            where = ", ".join(known_hosts.sources(target.host, target.port, key_type))
            what = f"its host key has changed: it presents {presented}, which is not the one in {where}"
            raise target.error("host-key-changed", what, f"if the node was set up anew: {trust}")
        case Verdict.UNKNOWN:
            what = f"its host key is not known ({presented})"
            others = known_hosts.key_types(target.host, target.port)
            if others:
                what += f"; known_hosts has only {', '.join(others)} for it"
            elif known_hosts.has_authority(target.host, target.port):
                what += "; @cert-authority lines are not used, the key itself must be known"
            raise target.error("host-key-unknown", what, trust)
