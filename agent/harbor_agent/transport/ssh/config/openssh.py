"""The configuration of a host in OpenSSH: its files and arguments, resolved by `ssh -G`.

So `Host`, `Match` and `Include` work as in the operator's own ssh. A process is started only if a configuration file
has an option that affects connections; otherwise, or without an ssh client, the arguments are parsed here.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from contextlib import suppress
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.transport.ssh.config.arguments import LISTS
from harbor_agent.transport.ssh.config.host import build_host_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harbor_agent.transport.ssh.config.host import Destination, HostConfig

SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
_HINT = "correct the ssh configuration; check it with: ssh -G HOST"
_SECONDS_FOR_SSH = 20.0
_DEEPEST_INCLUDE = 16
_KEYWORD = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*)")
# The options that affect a connection. The system's file of most distributions has none of them.
_KEYWORDS = frozenset(
    {
        *("addressfamily", "canonicaldomains", "canonicalizehostname", "certificatefile", "connecttimeout"),
        *("globalknownhostsfile", "hostkeyalias", "hostname", "identitiesonly", "identityagent", "identityfile"),
        *("port", "proxycommand", "proxyjump", "revokedhostkeys", "serveraliveinterval", "user"),
        "userknownhostsfile",
    }
)


class ConfigError(Exception):
    """The configuration cannot be resolved; `problem` says why."""

    def __init__(self, message: str, hint: str = _HINT) -> None:
        """Keep the problem."""
        super().__init__(message)
        self.problem = Problem(code="ssh-config-invalid", message=message, hint=hint)


class SshConfiguration:
    """OpenSSH's configuration for a run; its files are read once."""

    def __init__(self) -> None:
        """Read the files of the user and of the system."""
        self._user_file = Path.home() / ".ssh/config"
        self._client = shutil.which("ssh")
        self._affects_connections = any(
            _KEYWORDS & set(_iterate_keywords(file)) for file in (self._user_file, SYSTEM_CONFIG)
        )

    def resolve(self, destination: Destination, *, complete: bool = False) -> HostConfig:
        """Return the configuration of `destination`.

        `complete` calls ssh even if its files have no option that affects connections. Raises ConfigError if the
        configuration or an argument is invalid, or if a file has such an option and there is no ssh client to read it.
        """
        file = destination.arguments.config_file
        is_needed = self._affects_connections if file is None else file != "none"
        if self._client and (is_needed or (complete and file is None)):
            return self._build_config(destination, self._run_ssh(self._client, destination))
        if is_needed:
            message = f"no ssh client to read {file or self._user_file}"
            hint = "install openssh-client, or set ansible_ssh_common_args='-F none' to ignore that file"
            raise ConfigError(message, hint)
        return self._build_config(destination, destination.arguments.to_mapping(destination.name))

    @staticmethod
    def _build_config(destination: Destination, found: Mapping[str, tuple[str, ...]]) -> HostConfig:
        try:
            return build_host_config(destination, found)
        except ValueError as error:
            raise ConfigError(f"invalid value of an ssh option of {destination.name} ({error})") from None

    def _run_ssh(self, client: str, destination: Destination) -> dict[str, tuple[str, ...]]:
        options = [*_iterate_own_options(destination), *destination.arguments.options]
        command = [client, "-G", *self._select_file(destination.arguments.config_file)]
        command += [word for option in options for word in ("-o", option)]
        try:
            done = subprocess.run(  # noqa: S603 - the user's own ssh; every option is a word of its own
                [*command, "--", destination.name],
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS_FOR_SSH,
            )
        except subprocess.TimeoutExpired:
            message = f"ssh -G {destination.name} did not finish within {_SECONDS_FOR_SSH:.0f} s"
            raise ConfigError(message) from None
        if done.returncode:
            errors = [line for line in done.stderr.decode(errors="replace").splitlines() if "Pseudo-term" not in line]
            raise ConfigError(f"ssh rejects its configuration ({'; '.join(errors) or 'no reason given'})")
        found: dict[str, tuple[str, ...]] = {}
        for line in done.stdout.decode(errors="surrogateescape").splitlines():
            name, _, value = line.partition(" ")
            found[name] = (*found.get(name, ()), *(value.split() if name in LISTS else (value,)))
        return found

    def _select_file(self, named: str | None) -> tuple[str, ...]:
        """Return the `-F` option, also if HOME is not that of the account: ssh itself ignores HOME."""
        if named is not None:
            return ("-F", named)
        with suppress(KeyError):  # a user without a name, in a container: ssh reports that
            if Path(pwd.getpwuid(os.getuid()).pw_dir) == Path.home():
                return ()
        return ("-F", str(self._user_file if self._user_file.exists() else SYSTEM_CONFIG))


def _iterate_own_options(destination: Destination) -> Iterator[str]:
    if destination.user is not None:
        yield f'User="{destination.user}"'
    if destination.port is not None:
        yield f"Port={destination.port}"


def _iterate_keywords(file: Path, depth: int = 0) -> Iterator[str]:
    """Yield the keywords of a file and of its includes; a file that cannot be read is empty."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        match = _KEYWORD.match(line)
        if not match:
            continue
        yield match[1].lower()
        if match[1].lower() == "include" and depth < _DEEPEST_INCLUDE:
            for pattern in match[2].split():
                # Relative to ~/.ssh, or for the system's file to its folder (ssh_config(5), Include).
                path = str(file.parent / os.path.expanduser(pattern.strip('"')))  # noqa: PTH111 - a pattern
                for included in sorted(glob(path)):  # noqa: PTH207 - absolute patterns too
                    yield from _iterate_keywords(Path(included), depth + 1)
