"""Logging in over SSH with what there is: key files, a password, the agent, the user's default keys (paramiko)."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from agent.errors import Problem
from agent.transport.ssh_library import paramiko

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.model.inventory import Node
    from agent.transport.deadline import Deadline

_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


class KeyRing:
    """Private keys from files, each read once however many nodes use it; a certificate beside a key goes with it."""

    def __init__(self) -> None:
        """Start with no key read."""
        self._lock = Lock()
        self._loaded: dict[Path, paramiko.PKey | Problem] = {}

    def load(self, path: Path) -> paramiko.PKey | Problem:
        """Return the key in `path`, or why there is none."""
        with self._lock:
            if path not in self._loaded:
                self._loaded[path] = _load(path)
            return self._loaded[path]


def authenticate(
    transport: paramiko.Transport, node: Node, user: str, key_ring: KeyRing, deadline: Deadline
) -> Problem | None:
    """Log in as `user`; None where that worked, otherwise why not.

    In this order: the inventory's key file, the inventory's password, the keys of the agent, the default key files
    (not where the inventory names a key). What the inventory names comes first because servers count attempts.
    """
    attempt = _Attempt(transport, user, deadline)
    unusable: list[Problem] = []
    for label, key in _keys_of(node, key_ring, unusable):
        if attempt.with_key(label, key):
            return None
    if node.password is not None and attempt.with_password(node.password.reveal()):
        return None
    with _agent_keys() as keys:
        for number, key in enumerate(keys, start=1):
            if attempt.with_key(f"key {number} of the agent", key):
                return None
    if node.private_key_file is None:
        for label, key in _default_keys(key_ring, unusable):
            if attempt.with_key(label, key):
                return None
    return attempt.refusal(unusable)


class _Attempt:
    """The tries on one connection, and what the server said to them."""

    def __init__(self, transport: paramiko.Transport, user: str, deadline: Deadline) -> None:
        self._transport = transport
        self._user = user
        self._deadline = deadline
        self._tried: list[str] = []
        self._offered: set[bytes] = set()
        self._accepted_methods: tuple[str, ...] | None = None

    def with_key(self, label: str, key: paramiko.PKey) -> bool:
        """Try a key, once."""
        if key.asbytes() in self._offered or not self._is_worth_trying("publickey"):
            return False
        self._offered.add(key.asbytes())
        return self._try(label, lambda: self._transport.auth_publickey(self._user, key))

    def with_password(self, password: str) -> bool:
        """Try a password; paramiko answers keyboard-interactive with it where the server wants that instead."""
        return self._try("the password", lambda: self._transport.auth_password(self._user, password))

    def refusal(self, unusable: list[Problem]) -> Problem:
        """Say that nothing was accepted, and what was tried."""
        if unusable and not self._tried:
            return unusable[0]
        tried = ", ".join(self._tried) or "nothing: there is no key, no agent and no password"
        methods = f"; it accepts {', '.join(self._accepted_methods)}" if self._accepted_methods else ""
        broken = "".join(f"; {problem.message}" for problem in unusable)
        return Problem(
            code="ssh-auth-failed",
            message=f"the login was refused (tried {tried}{methods}{broken})",
            hint=unusable[0].hint if unusable else "check ansible_user and ansible_ssh_private_key_file",
        )

    def _is_worth_trying(self, method: str) -> bool:
        return self._transport.is_active() and (self._accepted_methods is None or method in self._accepted_methods)

    def _try(self, label: str, attempt: Callable[[], list[str]]) -> bool:
        if not self._transport.is_active():
            return False
        self._transport.auth_timeout = self._deadline.remaining(self._transport.auth_timeout)
        self._tried.append(label)
        try:
            further = attempt()
        except paramiko.BadAuthenticationType as error:
            self._accepted_methods = tuple(error.allowed_types)
            return False
        except paramiko.AuthenticationException:
            return False
        except paramiko.SSHException as error:
            self._tried[-1] = f"{label} ({error})"
            return False
        if further:
            self._accepted_methods = tuple(further)
            self._tried[-1] = f"{label} (accepted, but not enough)"
        return self._transport.is_authenticated()


def _keys_of(node: Node, key_ring: KeyRing, unusable: list[Problem]) -> Iterator[tuple[str, paramiko.PKey]]:
    if node.private_key_file is not None:
        yield from _usable(Path(node.private_key_file).expanduser(), key_ring, unusable)


def _default_keys(key_ring: KeyRing, unusable: list[Problem]) -> Iterator[tuple[str, paramiko.PKey]]:
    for name in _DEFAULT_KEYS:
        path = Path.home() / ".ssh" / name
        if path.exists():
            yield from _usable(path, key_ring, unusable)


def _usable(path: Path, key_ring: KeyRing, unusable: list[Problem]) -> Iterator[tuple[str, paramiko.PKey]]:
    loaded = key_ring.load(path)
    if isinstance(loaded, Problem):
        unusable.append(loaded)
    else:
        yield f"the key {path}", loaded


def _load(path: Path) -> paramiko.PKey | Problem:
    try:
        return paramiko.PKey.from_path(path)
    except (TypeError, paramiko.PasswordRequiredException):
        # cryptography raises TypeError for an encrypted key without a passphrase.
        return Problem(
            code="ssh-key-encrypted",
            message=f"the key {path} is encrypted",
            hint=f"hand it to an agent first: ssh-add {path}",
        )
    except OSError as error:
        message = f"the key {path} cannot be read ({error.strerror})"
    except Exception as error:  # noqa: BLE001 - paramiko and cryptography raise many types for a broken file
        message = f"the key {path} is no private key ({str(error) or type(error).__name__})"
    return Problem(code="ssh-key-unreadable", message=message, hint="correct ansible_ssh_private_key_file")


@contextmanager
def _agent_keys() -> Iterator[tuple[paramiko.PKey, ...]]:
    """Open the user's agent for a while; an absent or broken one has no keys."""
    # Looked for here first: paramiko leaves a socket open where it finds nobody.
    if not Path(os.environ.get("SSH_AUTH_SOCK", "")).is_socket():
        yield ()
        return
    try:
        agent = paramiko.Agent()
    except (paramiko.SSHException, OSError):
        yield ()
        return
    try:
        yield agent.get_keys()
    finally:
        agent.close()
