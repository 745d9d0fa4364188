"""A real OpenSSH server on loopback or in a network namespace, with users that only it knows."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

from harbor_agent.model.inventory import Become, Node
from harbor_agent.model.sensitive import Sensitive

# In a mount namespace of its own, sshd sees accounts that the machine does not have.
_START = """
set -e
mount --bind {home}/passwd /etc/passwd
mount --bind {home}/shadow /etc/shadow
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e -f {home}/sshd_config
"""
_CONFIG = """
{extra}
Port {port}
ListenAddress {address}
PidFile none
UsePAM no
StrictModes no
MaxStartups 200
HostKey {home}/host_ed25519
HostKey {home}/host_rsa
AuthorizedKeysFile {home}/authorized_keys
PermitRootLogin yes
PasswordAuthentication yes
SetEnv PATH={home}/bin:/usr/sbin:/usr/bin:/sbin:/bin
LogLevel ERROR
"""
# What matters of sudo 1.9: -n fails where a password is needed, -S asks on standard error and reads one line.
_SUDO = """#!/bin/bash
exec 3>>{home}/sudo.log; echo "$@" >&3
case $USER in
  nopasswd) ;;
  stranger) echo "stranger is not in the sudoers file." >&2; exit 1 ;;
  ttyonly) [ -t 0 ] || {{ echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1; }} ;;
  *)
    case " $* " in *" -n "*) echo "sudo: a password is required" >&2; exit 1 ;; esac
    prompt=$(printf %s "$*" | sed 's/.* -p \\(.*password:\\) .*/\\1/')
    for try in 1 2 3; do
      printf %s "$prompt" >&2
      IFS= read -r password || {{ echo "sudo: no password was provided" >&2; exit 1; }}
      [ "$password" = "right password" ] && break
      [ $try = 3 ] && {{ echo "sudo: 3 incorrect password attempts" >&2; exit 1; }}
      echo "Sorry, try again." >&2
    done ;;
esac
while :; do
  case $1 in --) shift; break ;; -p | -u) shift 2 ;; -*) shift ;; *) break ;; esac
done
AS_ROOT=yes exec "$@"
"""
# What matters of su: it asks on standard error, once, and reads the password from standard input.
_SU = """#!/bin/bash
printf "Password: " >&2
IFS= read -r password
[ "$password" = "right password" ] || {{ echo; echo "su: Authentication failure"; exit 1; }} >&2
while [ "$1" != -c ]; do shift; done
AS_ROOT=yes exec /bin/sh -c "$2"
"""
_NOISY = """#!/bin/sh
echo "Welcome to the machine"; echo "Last login: never" >&2
exec /bin/sh "$@"
"""
_SHELLS = {
    "nopasswd": "/bin/sh",
    "operator": "/bin/sh",
    "stranger": "/bin/sh",
    "ttyonly": "/bin/sh",
    "noisy": "{home}/bin/noisy",
    "nologin": "/usr/sbin/nologin",
    "restricted": "/bin/rbash",
    "fishy": "/usr/bin/fish",
    "seashell": "/bin/tcsh",
}
LOGIN_PASSWORD = "open sesame"


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running sshd: where it is, and the files that go with it."""

    home: Path
    port: int
    address: str = "127.0.0.1"

    @property
    def key(self) -> Path:
        """The key that every user of the server may log in with."""
        return self.home / "client_ed25519"

    @property
    def known_as(self) -> str:
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"

    @property
    def known_hosts(self) -> Path:
        return self.home / "known_hosts"

    def host_key(self, kind: str = "ed25519") -> str:
        """Return `type base64`."""
        return " ".join((self.home / f"host_{kind}.pub").read_text().split()[:2])

    def authorize(self, key: Path) -> str:
        """Let `key` log in from now on, and return the path of its private half."""
        with (self.home / "authorized_keys").open("a") as file:
            file.write(key.with_name(f"{key.name}.pub").read_text())
        return str(key)

    def node(self, **changes: object) -> Node:
        values: dict[str, object] = {
            "name": "node1",
            "address": self.address,
            "port": self.port,
            "user": "root",
            "private_key_file": str(self.key),
        }
        return Node(**{**values, **changes})


def become(password: str | None, *, method: Literal["sudo", "su"] = "sudo") -> Become:
    return Become(method=method, password=Sensitive(password) if password else None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certify(key: Path, *, authority: Path) -> None:
    """Write KEY-cert.pub: a certificate of `authority` that lets whoever has `key` log in as root."""
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", "-n", "root"]
    subprocess.run([*sign, str(key.with_name(f"{key.name}.pub"))], check=True)


def make_key(path: Path, *, kind: str = "ed25519", passphrase: str = "") -> None:
    size = ("-b", "2048") if kind == "rsa" else ()
    command = ["ssh-keygen", "-q", "-t", kind, *size, "-N", passphrase, "-C", "", "-f", str(path)]
    subprocess.run(command, check=True)


def wait_until_listening(port: int, process: subprocess.Popen[bytes], *, seconds: float = 20) -> None:
    """Wait until the process' network namespace has a listener on `port`."""
    end = time.monotonic() + seconds
    while not _listens(process.pid, port):
        assert process.poll() is None, f"sshd ended with {process.returncode}"
        assert time.monotonic() < end, "sshd does not listen"
        time.sleep(0.05)


def _listens(pid: int, port: int) -> bool:
    """Look at the table of TCP sockets that the process sees (proc(5), /proc/net/tcp; 0A is LISTEN)."""
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines)


@contextmanager
def serving(
    home: Path, *, extra: str = "", address: str = "127.0.0.1", port: int | None = None, prefix: Sequence[str] = ()
) -> Iterator[Server]:
    """Run an sshd whose files are in `home`; `extra` goes into its configuration, `prefix` in front of its command."""
    port = port or free_port()
    for name, kind in (("host_ed25519", "ed25519"), ("host_rsa", "rsa"), ("client_ed25519", "ed25519")):
        make_key(home / name, kind=kind)
    shutil.copy(home / "client_ed25519.pub", home / "authorized_keys")
    _write_accounts(home)
    (home / "bin").mkdir()
    for name, text in (("sudo", _SUDO), ("su", _SU), ("noisy", _NOISY)):
        (home / "bin" / name).write_text(text.format(home=home))
        (home / "bin" / name).chmod(0o755)
    (home / "sudo.log").touch()
    (home / "sudo.log").chmod(0o666)
    config = _CONFIG.format(home=home, port=port, address=address, extra=extra)
    (home / "sshd_config").write_text(config)
    server = Server(home=home, port=port, address=address)
    server.known_hosts.write_text(f"{server.known_as} {server.host_key()}\n")
    log = (home / "sshd.log").open("wb")
    with log:
        start = [*prefix, "unshare", "--mount", "/bin/sh", "-c", _START.format(home=home)]
        process = subprocess.Popen(start, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until_listening(port, process)
        yield server
    finally:
        process.terminate()
        process.wait(10)


def _write_accounts(home: Path) -> None:
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", LOGIN_PASSWORD], check=True, capture_output=True, text=True
    ).stdout.strip()
    passwd, shadow = Path("/etc/passwd").read_text(), ["root:*:19000:0:99999:7:::", "sshd:*:19000:0:99999:7:::"]
    for number, (name, shell) in enumerate(_SHELLS.items(), start=42001):
        passwd += f"{name}:x:{number}:{number}::/tmp:{shell.format(home=home)}\n"
        shadow.append(f"{name}:{hashed}:19000:0:99999:7:::")
    (home / "passwd").write_text(passwd)
    (home / "shadow").write_text("\n".join(shadow) + "\n")


@contextmanager
def public_folder() -> Iterator[Path]:
    """Make a folder that every account can reach; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="sshd-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
