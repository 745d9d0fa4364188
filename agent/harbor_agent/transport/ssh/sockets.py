"""The bytes' way to an SSH server: a socket within a time limit, or a ProxyCommand."""

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
from harbor_agent.transport.ssh.config.settings import expand
from harbor_agent.transport.ssh.proxy_command import ProxyProcess

if TYPE_CHECKING:
    from harbor_agent.transport.ssh.config.target import Target, UnreachableError

# On a network that is well, everybody answers much sooner.
_SECONDS_BEFORE_STANDING_ASIDE = 0.25
_MILLISECONDS_WITHOUT_ANSWER = 60_000
_Answer = list[tuple[socket.AddressFamily, Any]] | Exception
_FAMILIES = {None: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}


def open_proxy(target: Target, command: str) -> ProxyProcess:
    """Start the ProxyCommand of a target. Raises UnreachableError."""
    try:
        return ProxyProcess(expand(command, target.settings, target.name))
    except OSError as error:
        raise target.error("ssh-proxy-failed", f"its ProxyCommand cannot be started ({error})") from None


def open_socket(target: Target, timeout: float) -> socket.socket:
    """Connect to the target's SSH port within `timeout` seconds, the name included. Raises UnreachableError."""
    end = time.monotonic() + timeout
    places = _resolve(target, timeout)
    failure = OSError("no address")
    for number, (family, place) in enumerate(places):
        try:
            connection = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # a family that this machine does not have
            failure = error
            continue
        try:
            _connect(connection, place, max(0.1, (end - time.monotonic()) / (len(places) - number)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Whoever is behind the other end waits for it, past all deadlines, as long as it takes nothing.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _MILLISECONDS_WITHOUT_ANSWER)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise _no_connection(target, failure, timeout)


def _connect(connection: socket.socket, place: object, timeout: float) -> None:
    """Connect within `timeout` seconds; a host that is slow to answer keeps no other waiting. Raises OSError."""
    connection.settimeout(0)
    error = connection.connect_ex(place)  # type: ignore[arg-type]  # what getaddrinfo returned
    if error == errno.EINPROGRESS:
        if not _can_write(connection, min(timeout, _SECONDS_BEFORE_STANDING_ASIDE)):
            with releasing_slot():
                if not _can_write(connection, timeout - _SECONDS_BEFORE_STANDING_ASIDE):
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
    """Look the name up on a thread of its own: getaddrinfo has no timeout."""
    answers: SimpleQueue[_Answer] = SimpleQueue()
    settings = target.settings

    def look_up() -> None:
        try:
            family = _FAMILIES[settings.ip_version]
            found = socket.getaddrinfo(settings.host, settings.port, family=family, type=socket.SOCK_STREAM)
            answers.put([(family, place) for family, _, _, _, place in found])
        except (OSError, UnicodeError) as error:
            answers.put(error)

    if _is_literal(settings.host):
        look_up()
    else:
        Thread(target=look_up, daemon=True, name="resolve").start()
    hint = "correct ansible_host, or the name in DNS or /etc/hosts"
    try:
        answer = _await(answers, timeout)
    except Empty:
        message = f"its name was not resolved within {timeout:.0f} s"
        raise target.error("ssh-name-unknown", message, "does the name server answer?") from None
    if isinstance(answer, Exception):
        reason = answer.strerror if isinstance(answer, OSError) else "not a host name"
        raise target.error("ssh-name-unknown", f"its name does not resolve ({reason})", hint)
    return answer


def _await(answers: SimpleQueue[_Answer], timeout: float) -> _Answer:
    """Return the first of `answers`; while a name server thinks, others may run. Raises Empty."""
    try:
        return answers.get(timeout=min(timeout, _SECONDS_BEFORE_STANDING_ASIDE))
    except Empty:
        with releasing_slot():
            return answers.get(timeout=max(0.0, timeout - _SECONDS_BEFORE_STANDING_ASIDE))


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
