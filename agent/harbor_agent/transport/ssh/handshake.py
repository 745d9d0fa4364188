"""The SSH handshake: agreeing on algorithms, and checking the host key."""

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
    from collections.abc import Iterator

    from harbor_agent.transport.ssh.client import SshClientTransport
    from harbor_agent.transport.ssh.config.target import Target, UnreachableError
    from harbor_agent.transport.ssh.known_hosts import KnownHosts

# The algorithms of paramiko 5 without broken or weak ones: CBC modes, 3DES, MD5, SHA-1. Authenticated modes first: they
# take one pass in C per packet.
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
# Each kind of algorithm by its name in paramiko's errors: our name, and its name in the server's offer.
_KINDS = {
    "kex": ("key exchange", "kex_algo_list"),
    "host key": ("host key type", "server_key_algo_list"),
    "ciphers": ("cipher", "server_encrypt_algo_list"),
    "macs": ("message authentication code", "server_mac_algo_list"),
}
# The old algorithms that OpenSSH's client accepts only if its option names them (ssh_config(5), ssh -Q).
_OLD = {
    "kex_algo_list": (
        "KexAlgorithms",
        ("diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1", "diffie-hellman-group1-sha1"),
    ),
    "server_key_algo_list": ("HostKeyAlgorithms", ("ssh-rsa",)),
    "server_encrypt_algo_list": ("Ciphers", ("aes256-cbc", "aes192-cbc", "aes128-cbc", "3des-cbc")),
    "server_mac_algo_list": ("MACs", ("hmac-sha1", "hmac-sha1-96", "hmac-md5", "hmac-md5-96")),
}
_BINARY_LIST = b"SSHKRL\n\0"  # OpenSSH PROTOCOL.krl
_SECONDS_FOR_KEYGEN = 20.0


def negotiate(transport: SshClientTransport, target: Target, known_hosts: KnownHosts, timeout: float) -> paramiko.PKey:
    """Agree on keys within `timeout` seconds and return the host key, not yet verified. Raises UnreachableError.

    Key types that known_hosts has for the host are preferred, as by OpenSSH.
    """
    transport.banner_timeout = transport.handshake_timeout = timeout
    begin = time.monotonic()
    options = transport.get_security_options()
    options.ciphers = _CIPHERS
    options.digests = _MACS
    known = known_hosts.find_key_types(target.known_names)
    preferred = [name for key_type in known for name in _SIGNATURES.get(key_type, (key_type,)) if name in _KEY_TYPES]
    options.key_types = tuple(dict.fromkeys([*preferred, *_KEY_TYPES]))
    try:
        transport.start_client(timeout=timeout)
        return transport.get_remote_server_key()
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise _describe_mismatch(transport, target, str(error)) from None
    except Exception as error:  # noqa: BLE001 - paramiko's parsers raise errors of any type for unexpected data
        if time.monotonic() - begin >= timeout:
            message = f"connected, but the SSH server sent nothing within {timeout:.0f} s"
            raise target.error("ssh-timeout", message, "check whether sshd is overloaded or hangs") from None
        reason = " ".join(str(error).split()) or type(error).__name__
        raise target.error("ssh-closed", f"the server closed the connection before login ({reason})") from None


def verify_host_key(target: Target, key: paramiko.PKey, known_hosts: KnownHosts) -> None:
    """Raise UnreachableError unless `key` is in known_hosts and not revoked."""
    problem = check_host_key(target, key, known_hosts)
    if problem:
        raise target.error(problem.code, problem.message, problem.hint)


def check_host_key(target: Target, key: paramiko.PKey, known_hosts: KnownHosts) -> Problem | None:
    """Return why the host key that a target presented must not be trusted; None if it is known."""
    key_type, blob = key.get_name(), key.asbytes()
    names = target.known_names
    presented = f"{key_type} {fingerprint(blob)}"
    line = f"{names[0]} {key_type} {key.get_base64()}"
    trust = f"compare it with the host's own key, then run harbor-agent trust-hosts, or add to known_hosts: {line}"
    match known_hosts.check(names, key_type, blob):
        case Verdict.KNOWN:
            return _check_revoked(target.config.revoked_keys, line, presented)
        case Verdict.REVOKED:
            hint = "give the node a new host key; this one is marked @revoked in known_hosts"
            return Problem(code="host-key-revoked", message=f"the host key is revoked ({presented})", hint=hint)
        case Verdict.CHANGED:
            lines = ", ".join(known_hosts.find_sources(names, key_type))
            message = f"the host key has changed: the host presented {presented}, which differs from {lines}"
            hint = f"if the node was reinstalled, run ssh-keygen -R '{names[0]}'; then {trust}"
            return Problem(code="host-key-changed", message=message, hint=hint)
        case Verdict.UNKNOWN:
            message = f"the host key is not known ({presented})"
            others = known_hosts.find_key_types(names)
            if others:
                message += f"; known_hosts has only {', '.join(others)} for this host"
            elif known_hosts.has_authority(names):
                message += "; @cert-authority lines are not supported, the key itself must be in known_hosts"
            if target.config.known_hosts in {(), (Path(os.devnull),)}:
                trust = "remove UserKnownHostsFile from the ssh arguments: it discards host keys; then run trust-hosts"
            return Problem(code="host-key-unknown", message=message, hint=trust)


def _check_revoked(revoked_keys: Path | None, line: str, presented: str) -> Problem | None:
    """Look up a key in RevokedHostKeys: a list of keys, or a binary one that ssh-keygen reads (ssh-keygen(1), KRL).

    As in ssh, a list that cannot be read revokes every key.
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
        message = f"cannot check whether the host key ({presented}) is revoked: {error}"
    else:
        if not found:
            return None
        message = f"the host key ({presented}) is revoked by {revoked_keys}"
    hint = "give the node a new host key, or correct RevokedHostKeys in the ssh configuration"
    return Problem(code="host-key-revoked", message=message, hint=hint)


def _is_in_binary_list(file: Path, key: str) -> bool:
    """Look up a key with ssh-keygen. Raises OSError if that is missing."""
    command = [shutil.which("ssh-keygen") or "ssh-keygen", "-Q", "-f", str(file), "/dev/stdin"]
    done = subprocess.run(  # noqa: S603 - our own arguments
        command, input=key.encode(), check=False, capture_output=True, timeout=_SECONDS_FOR_KEYGEN
    )
    return done.returncode != 0


def _describe_mismatch(transport: SshClientTransport, target: Target, error: str) -> UnreachableError:
    kind, list_name = next((names for word, names in _KINDS.items() if word in error), ("protocol version", ""))
    offered = transport.server_algorithms.get(list_name)
    message = f"no common {kind}"
    if offered:
        message += f": the server offers only {', '.join(offered)}"
    software = transport.remote_version.removeprefix("SSH-2.0-")
    if software:
        message += f" ({software})"
    hint = "update the SSH server of the node, or allow current algorithms in its sshd_config"
    accept = " ".join(_list_openssh_options(transport))
    if accept:
        hint += f"; until then use --transport ansible with ansible_ssh_common_args='{accept}'"
    return target.error("ssh-algorithms", message, hint)


def _list_openssh_options(transport: SshClientTransport) -> Iterator[str]:
    """Yield the options with which OpenSSH's client accepts the old algorithms that the server offers."""
    current = {*transport.get_security_options().kex, *_CIPHERS, *_MACS, *_KEY_TYPES}
    for list_name, (option, old) in _OLD.items():
        offered = transport.server_algorithms.get(list_name) or ()
        accepted = [] if current.intersection(offered) else [name for name in old if name in offered]
        if accepted:
            yield f"-o {option}=+{','.join(accepted)}"
            if option == "HostKeyAlgorithms":
                yield "-o PubkeyAcceptedKeyTypes=+ssh-rsa"
