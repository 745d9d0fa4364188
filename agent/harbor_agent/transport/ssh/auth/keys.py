"""Private keys in files, with their certificates."""

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
from harbor_agent.transport.ssh.auth.agent import open_agent
from harbor_agent.transport.ssh.paramiko_import import paramiko

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from threading import Event

    from harbor_agent.local.terminal import Terminal
    from harbor_agent.transport.ssh.config.host import HostConfig

_TRADITIONAL, _OPENSSH = PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH
_ATTEMPTS = 3
_OPENSSH_MAGIC = b"openssh-key-v1\0"


class KeyRing:
    """Private keys from files; each file is read once for all nodes, and the user is asked once for its passphrase."""

    def __init__(self, terminal: Terminal) -> None:
        """Read no key yet."""
        self._terminal = terminal
        self._lock = Lock()
        self._loaded: dict[Path, paramiko.PKey | Problem] = {}

    def load(self, path: Path, stopping: Event) -> paramiko.PKey | Problem:
        """Return the key in `path`, or the problem with it. Prompts for its passphrase if it is encrypted."""
        with self._lock:
            if path not in self._loaded:
                loaded = self._load(path, stopping)
                if stopping.is_set():
                    return loaded
                self._loaded[path] = loaded
            return self._loaded[path]

    def unlock_named_key(self, config: HostConfig, stopping: Event) -> None:
        """Prompt for the passphrase of the key that the inventory names, unless an agent has that key."""
        path = config.private_key_file
        if path is None or not self.needs_passphrase(path):
            return
        with open_agent(config.agent) as agent:
            public = read_public_key(path)
            if all(key.asbytes() != public for key in agent):
                self.load(path, stopping)

    def needs_passphrase(self, path: Path) -> bool:
        """Whether the key in `path` is encrypted and the user has not been prompted for its passphrase yet."""
        with self._lock:
            if path not in self._loaded:
                loaded = _read_key(path, None)
                if loaded is None:
                    return True
                self._loaded[path] = loaded
            return False

    def _load(self, path: Path, stopping: Event) -> paramiko.PKey | Problem:
        loaded = _read_key(path, None)
        for _ in range(_ATTEMPTS):
            if loaded is not None:
                return loaded
            passphrase = self._terminal.ask(f"passphrase for the key {path}: ", stopping=stopping)
            if passphrase is None:
                return _describe_encrypted(path)
            loaded = _read_key(path, passphrase.reveal())
        if loaded is not None:
            return loaded
        return Problem(
            code="ssh-key-passphrase-wrong",
            message=f"none of the passphrases entered decrypts the key {path}",
            hint=f"test the passphrase with: ssh-keygen -y -f {path}",
        )


def iterate_certified(key: paramiko.PKey, files: Sequence[Path]) -> Iterator[tuple[str, paramiko.PKey]]:
    """Yield the key with each of its certificates, then alone; each with a suffix for its name in messages.

    A key of an agent comes alone: the agent has its certificates as separate keys.
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


# A certificate contains its public key without the name of the type; the last bytes identify the key.
_TAIL = 32


def read_public_key(path: Path) -> bytes | None:
    """Return the public key of the private key in `path` without decrypting it; None if it cannot be read."""
    try:
        fields = path.with_name(f"{path.name}.pub").read_text(encoding="utf-8", errors="replace").split()
        return base64.b64decode(fields[1])
    except (OSError, IndexError, binascii.Error):
        return _read_openssh_public_key(path)


def _read_openssh_public_key(path: Path) -> bytes | None:
    """Read the public key from the part of the file that is never encrypted (OpenSSH's PROTOCOL.key)."""
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


def _read_key(path: Path, passphrase: str | None) -> paramiko.PKey | Problem | None:
    """Return the key, or the problem with it; None if it needs another passphrase."""
    try:
        return _parse_key(path, passphrase.encode() if passphrase is not None else None)
    except OSError as error:
        message = f"cannot read the key {path}: {error.strerror}"
    except TypeError:
        # cryptography raises it for an encrypted key without a passphrase.
        return None
    except Exception as error:  # noqa: BLE001 - cryptography and paramiko raise many types for a broken file
        if passphrase is not None:
            return None
        message = f"{path} is not a private key ({str(error) or type(error).__name__})"
    return Problem(code="ssh-key-unreadable", message=message, hint="correct ansible_ssh_private_key_file")


def _parse_key(path: Path, passphrase: bytes | None) -> paramiko.PKey:
    """Parse a key in OpenSSH's format, PEM or PKCS#8, with the certificate in KEY-cert.pub.

    paramiko's own reader does not support PKCS#8, and rejects some keys with an empty comment.
    """
    data = path.read_bytes()
    try:
        loaded: object = serialization.load_ssh_private_key(data, passphrase)
    except ValueError:
        loaded = serialization.load_pem_private_key(data, passphrase)
    match loaded:
        case rsa.RSAPrivateKey():
            key: paramiko.PKey = paramiko.RSAKey.from_private_key(_serialize(loaded, _TRADITIONAL))
        case ec.EllipticCurvePrivateKey():
            key = paramiko.ECDSAKey.from_private_key(_serialize(loaded, _TRADITIONAL))
        case ed25519.Ed25519PrivateKey():
            key = paramiko.Ed25519Key.from_private_key(_serialize(loaded, _OPENSSH))
        case _:
            raise ValueError(f"unsupported type of key: {type(loaded).__name__}")
    certificate = path.with_name(f"{path.name}-cert.pub")
    if certificate.exists():
        key.load_certificate(str(certificate))
    return key


def _serialize(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, form: PrivateFormat
) -> StringIO:
    """Return a decrypted key as text that paramiko can read."""
    return StringIO(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode())


def _describe_encrypted(path: Path) -> Problem:
    hint = f"run the command from a terminal to enter the passphrase, or add the key to an agent: ssh-add {path}"
    return Problem(code="ssh-key-encrypted", message=f"the key {path} is encrypted", hint=hint)
