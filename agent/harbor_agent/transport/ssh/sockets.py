"""The byte stream to an SSH server: a TCP socket with a timeout, or a ProxyCommand."""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import socket
import time
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from harbor_agent.transport.pool import releasing_slot
from harbor_agent.transport.ssh.config.host import expand_tokens
from harbor_agent.transport.ssh.proxy_command import ProxyProcess

if TYPE_CHECKING:
    from harbor_agent.transport.ssh.config.target import Target, UnreachableError

# On a healthy network, hosts and name servers answer much sooner.
_SECONDS_BEFORE_YIELDING = 0.25
_MILLISECONDS_WITHOUT_ANSWER = 60_000
_Answer = list[tuple[socket.AddressFamily, Any]] | Exception
_FAMILIES = {None: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}


def open_proxy(target: Target, command: str) -> ProxyProcess:
    """Start the ProxyCommand of a target. Raises UnreachableError."""
    try:
        return ProxyProcess(expand_tokens(command, target.config, target.name))
    except OSError as error:
        raise target.error("ssh-proxy-failed", f"cannot start ProxyCommand ({error})") from None


def open_socket(target: Target, timeout: float) -> socket.socket:
    """Connect to the target's SSH port within `timeout` seconds, name resolution included. Raises UnreachableError."""
    end = time.monotonic() + timeout
    addresses = _resolve(target, timeout)
    failure = OSError("no address")
    for number, (family, address) in enumerate(addresses):
        try:
            connection = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # a family that this machine does not have
            failure = error
            continue
        try:
            _connect(connection, address, max(0.1, (end - time.monotonic()) / (len(addresses) - number)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Otherwise a thread that sends to a dead host would block beyond all deadlines.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _MILLISECONDS_WITHOUT_ANSWER)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise _describe_failure(target, failure, timeout)


def _connect(connection: socket.socket, address: object, timeout: float) -> None:
    """Connect within `timeout` seconds, and yield the slot if the host is slow to answer. Raises OSError."""
    connection.settimeout(0)
    error = connection.connect_ex(address)  # type: ignore[arg-type]  # from getaddrinfo
    if error == errno.EINPROGRESS:
        if not _can_write(connection, min(timeout, _SECONDS_BEFORE_YIELDING)):
            with releasing_slot():
                if not _can_write(connection, timeout - _SECONDS_BEFORE_YIELDING):
                    raise TimeoutError
        error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))
    connection.settimeout(None)


def _can_write(connection: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def _resolve(target: Target, timeout: float) -> list[tuple[socket.AddressFamily, Any]]:
    """Return family and address of each result; looks up the name in a thread, as getaddrinfo has no timeout."""
    answers: SimpleQueue[_Answer] = SimpleQueue()
    config = target.config

    def look_up() -> None:
        try:
            family = _FAMILIES[config.ip_version]
            found = socket.getaddrinfo(config.host, config.port, family=family, type=socket.SOCK_STREAM)
            answers.put([(family, address) for family, _, _, _, address in found])
        except (OSError, UnicodeError) as error:
            answers.put(error)

    if _is_ip_address(config.host):
        look_up()
    else:
        Thread(target=look_up, daemon=True, name="resolve").start()
    hint = "correct ansible_host, or add the name to DNS or /etc/hosts"
    try:
        answer = _wait_for_answer(answers, timeout)
    except Empty:
        message = f"cannot resolve the host name within {timeout:.0f} s"
        raise target.error("ssh-name-unknown", message, "check that the name server answers") from None
    if isinstance(answer, Exception):
        reason = answer.strerror if isinstance(answer, OSError) else "not a host name"
        raise target.error("ssh-name-unknown", f"cannot resolve the host name ({reason})", hint)
    return answer


def _wait_for_answer(answers: SimpleQueue[_Answer], timeout: float) -> _Answer:
    """Return the first of `answers`, and yield the slot if the name server is slow. Raises Empty."""
    try:
        return answers.get(timeout=min(timeout, _SECONDS_BEFORE_YIELDING))
    except Empty:
        with releasing_slot():
            return answers.get(timeout=max(0.0, timeout - _SECONDS_BEFORE_YIELDING))


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _describe_failure(target: Target, failure: OSError, timeout: float) -> UnreachableError:
    match failure:
        case TimeoutError():
            return target.error("ssh-timeout", f"no answer within {timeout:.0f} s", "check that the machine is up")
        case ConnectionRefusedError():
            hint = "check that sshd is running, and on that port (ansible_port)"
            return target.error("ssh-refused", "connection refused", hint)
        case _:
            return target.error("ssh-no-route", f"cannot connect ({failure.strerror or failure})")
