"""What both ends of an SSH connection agree on, and whether the other end is who it should be (paramiko)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.transport.ssh.known_hosts import Verdict, fingerprint
from harbor_agent.transport.ssh.paramiko_import import paramiko

if TYPE_CHECKING:
    from harbor_agent.transport.ssh.client import SshClientTransport
    from harbor_agent.transport.ssh.config.target import Target, UnreachableError
    from harbor_agent.transport.ssh.known_hosts import KnownHosts

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
# Each kind of algorithm: how paramiko calls it in its errors, how we do, and the offer in its own words.
_KINDS = {
    "kex": ("key exchange", "kex_algo_list"),
    "host key": ("type of host key", "server_key_algo_list"),
    "ciphers": ("cipher", "server_encrypt_algo_list"),
    "macs": ("message authentication code", "server_mac_algo_list"),
}
_BINARY_LIST = b"SSHKRL\n\0"  # OpenSSH PROTOCOL.krl
_SECONDS_FOR_KEYGEN = 20.0


def negotiate(transport: SshClientTransport, target: Target, known_hosts: KnownHosts, timeout: float) -> paramiko.PKey:
    """Agree on keys within `timeout` seconds and return the host key, not yet verified. Raises UnreachableError.

    Key types that known_hosts has for the host are asked for first, as OpenSSH does.
    """
    transport.banner_timeout = transport.handshake_timeout = timeout
    begin = time.monotonic()
    options = transport.get_security_options()
    options.ciphers = _CIPHERS
    options.digests = _MACS
    known = known_hosts.key_types(target.known_names)
    preferred = [name for key_type in known for name in _SIGNATURES.get(key_type, (key_type,)) if name in _KEY_TYPES]
    options.key_types = tuple(dict.fromkeys([*preferred, *_KEY_TYPES]))
    try:
        transport.start_client(timeout=timeout)
        return transport.get_remote_server_key()
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise _no_common_algorithm(transport, target, str(error)) from None
    except Exception as error:  # noqa: BLE001 - what a stranger sends can raise anything in paramiko's parsers
        if time.monotonic() - begin >= timeout:
            what = f"it accepts connections but sshd said nothing within {timeout:.0f} s"
            raise target.error("ssh-timeout", what, "is sshd overloaded or stuck?") from None
        said = " ".join(str(error).split()) or type(error).__name__
        raise target.error("ssh-closed", f"it ended the connection before the login ({said})") from None


def verify(target: Target, key: paramiko.PKey, known_hosts: KnownHosts) -> None:
    """Raise UnreachableError unless known_hosts vouches for `key` and nothing revokes it."""
    problem = judge(target, key, known_hosts)
    if problem:
        raise target.error(problem.code, problem.message, problem.hint)


def judge(target: Target, key: paramiko.PKey, known_hosts: KnownHosts) -> Problem | None:
    """Return what speaks against the host key that a target presented; None where it is known."""
    key_type, blob = key.get_name(), key.asbytes()
    names = target.known_names
    presented = f"{key_type} {fingerprint(blob)}"
    line = f"{names[0]} {key_type} {key.get_base64()}"
    trust = f"compare it with the host's own, then: harbor-agent trust-hosts, or add this line to known_hosts: {line}"
    match known_hosts.check(names, key_type, blob):
        case Verdict.KNOWN:
            return _revoked(target.settings.revoked_keys, line, presented)
        case Verdict.REVOKED:
            hint = "give the node a new host key; this one is marked @revoked in known_hosts"
            return Problem(code="host-key-revoked", message=f"its host key is revoked ({presented})", hint=hint)
        case Verdict.CHANGED:
            where = ", ".join(known_hosts.sources(names, key_type))
            what = f"its host key has changed: it presents {presented}, which is not the one in {where}"
            hint = f"if the node was set up anew: ssh-keygen -R '{names[0]}', then {trust}"
            return Problem(code="host-key-changed", message=what, hint=hint)
        case Verdict.UNKNOWN:
            what = f"its host key is not known ({presented})"
            others = known_hosts.key_types(names)
            if others:
                what += f"; known_hosts has only {', '.join(others)} for it"
            elif known_hosts.has_authority(names):
                what += "; @cert-authority lines are not used, the key itself must be known"
            if target.settings.known_hosts in {(), (Path(os.devnull),)}:
                trust = "its ssh arguments keep no host keys: take UserKnownHostsFile out of them, then trust-hosts"
            return Problem(code="host-key-unknown", message=what, hint=trust)


def _revoked(revoked_keys: Path | None, line: str, presented: str) -> Problem | None:
    """Look a key up in RevokedHostKeys: a list of keys, or a binary one, which ssh-keygen reads.

    As with ssh, a list that cannot be read revokes every key.
    """
    if revoked_keys is None:
        return None
    key_type, encoded = line.split()[1:3]
    try:
        content = revoked_keys.read_bytes()
        if content.startswith(_BINARY_LIST):
            found = _is_in_binary_list(revoked_keys, f"{key_type} {encoded}")
        else:
            found = encoded.encode() in content.split()
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"whether its host key ({presented}) is revoked cannot be told: {error}"
    else:
        if not found:
            return None
        message = f"its host key ({presented}) is revoked by {revoked_keys}"
    hint = "give the node a new host key, or correct RevokedHostKeys in the ssh configuration"
    return Problem(code="host-key-revoked", message=message, hint=hint)


def _is_in_binary_list(file: Path, key: str) -> bool:
    """Ask ssh-keygen. Raises OSError where it is missing."""
    command = [shutil.which("ssh-keygen") or "ssh-keygen", "-Q", "-f", str(file), "/dev/stdin"]
    done = subprocess.run(  # noqa: S603 - our own arguments
        command, input=key.encode(), check=False, capture_output=True, timeout=_SECONDS_FOR_KEYGEN
    )
    return done.returncode != 0


def _no_common_algorithm(transport: SshClientTransport, target: Target, said: str) -> UnreachableError:
    kind, offer = next((words for sign, words in _KINDS.items() if sign in said), ("protocol version", ""))
    offered = transport.offered.get(offer)
    what = f"there is no common {kind}"
    if offered:
        what += f": it offers only {', '.join(offered)}, none of which is spoken here"
    software = transport.remote_version.removeprefix("SSH-2.0-")
    if software:
        what += f" ({software})"
    hint = "update the SSH server of the node, or allow current algorithms in its sshd_config"
    return target.error("ssh-algorithms", what, hint)
