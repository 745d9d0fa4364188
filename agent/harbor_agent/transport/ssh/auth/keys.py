"""Private keys in files, with the certificates beside them (paramiko)."""

from __future__ import annotations

import base64
import binascii
import copy
from io import StringIO
from threading import Lock
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat

from harbor_agent.errors import Problem
from harbor_agent.transport.ssh.auth.agent import agent_keys
from harbor_agent.transport.ssh.paramiko_import import paramiko

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from threading import Event

    from harbor_agent.local.terminal import Terminal
    from harbor_agent.transport.ssh.config.settings import HostConfig

_TRADITIONAL, _OPENSSH = PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH
_ATTEMPTS = 3
_OPENSSH_MAGIC = b"openssh-key-v1\0"


class KeyRing:
    """Private keys from files, each read once however many nodes use it, and its passphrase asked for once."""

    def __init__(self, terminal: Terminal) -> None:
        """Start with no key read."""
        self._terminal = terminal
        self._lock = Lock()
        self._loaded: dict[Path, paramiko.PKey | Problem] = {}

    def load(self, path: Path, stopping: Event) -> paramiko.PKey | Problem:
        """Return the key in `path`, or why there is none. Asks for its passphrase where it has one."""
        with self._lock:
            if path not in self._loaded:
                loaded = self._load(path, stopping)
                if stopping.is_set():
                    return loaded
                self._loaded[path] = loaded
            return self._loaded[path]

    def open_named(self, settings: HostConfig, stopping: Event) -> None:
        """Ask for the passphrase of the key that the settings name, unless an agent holds it."""
        path = settings.private_key_file
        if path is None or not self.needs_passphrase(path):
            return
        with agent_keys(settings.agent) as held:
            public = public_part(path)
            if all(key.asbytes() != public for key in held):
                self.load(path, stopping)

    def needs_passphrase(self, path: Path) -> bool:
        """Whether the key in `path` is encrypted and its passphrase has not been asked for yet."""
        with self._lock:
            if path not in self._loaded:
                loaded = _read(path, None)
                if loaded is None:
                    return True
                self._loaded[path] = loaded
            return False

    def _load(self, path: Path, stopping: Event) -> paramiko.PKey | Problem:
        loaded = _read(path, None)
        for _ in range(_ATTEMPTS):
            if loaded is not None:
                return loaded
            passphrase = self._terminal.ask(f"passphrase of the key {path}: ", stopping=stopping)
            if passphrase is None:
                return _encrypted(path)
            loaded = _read(path, passphrase.reveal())
        if loaded is not None:
            return loaded
        return Problem(
            code="ssh-key-passphrase-wrong",
            message=f"no passphrase that was given opens the key {path}",
            hint=f"try it with: ssh-keygen -y -f {path}",
        )


def with_certificates(key: paramiko.PKey, files: Sequence[Path]) -> Iterator[tuple[str, paramiko.PKey]]:
    """Yield the key once for each certificate that goes with it, then alone; each with what to add to its name.

    A key of an agent comes alone: the agent has its certificates as keys of their own.
    """
    if isinstance(key, paramiko.AgentKey):
        yield "", key
        return
    if key.public_blob is not None:
        yield " with its certificate", key
    plain = copy.copy(key)
    plain.public_blob = None
    for file in files:
        certified = copy.copy(plain)
        try:
            certified.load_certificate(str(file))
        except (OSError, ValueError):
            continue
        if certified.public_blob and plain.asbytes()[-_TAIL:] in certified.public_blob.key_blob:
            yield f" with the certificate {file}", certified
    yield "", plain


# A certificate holds its public key without the name of the type; the last bytes of it are enough to tell keys apart.
_TAIL = 32


def public_part(path: Path) -> bytes | None:
    """Return the public key that goes with the private key in `path`, without opening it; None where it is not told."""
    try:
        fields = path.with_name(f"{path.name}.pub").read_text(encoding="utf-8", errors="replace").split()
        return base64.b64decode(fields[1])
    except (OSError, IndexError, binascii.Error):
        return _public_part_of_openssh(path)


def _public_part_of_openssh(path: Path) -> bytes | None:
    """Read it from the part of the file that is never encrypted (OpenSSH's PROTOCOL.key)."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").split("\n")
        data = base64.b64decode("".join(line for line in lines if not line.startswith("-")))
    except (OSError, binascii.Error):
        return None
    if not data.startswith(_OPENSSH_MAGIC):
        return None
    message = paramiko.Message(data[len(_OPENSSH_MAGIC) :])
    for _ in ("cipher", "kdf", "kdf options"):
        message.get_string()
    return message.get_string() if message.get_int() == 1 else None


def _read(path: Path, passphrase: str | None) -> paramiko.PKey | Problem | None:
    """Return the key, or why there is none; None where it takes another passphrase."""
    try:
        return _parse(path, passphrase.encode() if passphrase is not None else None)
    except OSError as error:
        message = f"the key {path} cannot be read ({error.strerror})"
    except TypeError:
        # What cryptography raises for an encrypted key without a passphrase.
        return None
    except Exception as error:  # noqa: BLE001 - cryptography and paramiko raise many types for a broken file
        if passphrase is not None:
            return None
        message = f"the key {path} is no private key ({str(error) or type(error).__name__})"
    return Problem(code="ssh-key-unreadable", message=message, hint="correct ansible_ssh_private_key_file")


def _parse(path: Path, passphrase: bytes | None) -> paramiko.PKey:
    """Read a key in any form, OpenSSH's, PEM or PKCS#8, with the certificate beside it.

    paramiko's own reader knows no PKCS#8, and loses keys whose comment is empty where that needs no padding.
    """
    data = path.read_bytes()
    try:
        loaded: object = serialization.load_ssh_private_key(data, passphrase)
    except ValueError:
        loaded = serialization.load_pem_private_key(data, passphrase)
    match loaded:
        case rsa.RSAPrivateKey():
            key: paramiko.PKey = paramiko.RSAKey.from_private_key(_text(loaded, _TRADITIONAL))
        case ec.EllipticCurvePrivateKey():
            key = paramiko.ECDSAKey.from_private_key(_text(loaded, _TRADITIONAL))
        case ed25519.Ed25519PrivateKey():
            key = paramiko.Ed25519Key.from_private_key(_text(loaded, _OPENSSH))
        case _:
            raise ValueError(f"keys of the kind {type(loaded).__name__} are not used")
    certificate = path.with_name(f"{path.name}-cert.pub")
    if certificate.exists():
        key.load_certificate(str(certificate))
    return key


def _text(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, form: PrivateFormat
) -> StringIO:
    """Write an open key in memory, in a form that paramiko reads without fail."""
    return StringIO(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode())


def _encrypted(path: Path) -> Problem:
    hint = f"run it from a terminal to be asked for the passphrase, or hand the key to an agent first: ssh-add {path}"
    return Problem(code="ssh-key-encrypted", message=f"the key {path} is encrypted", hint=hint)
