"""How OpenSSH would reach a host: its configuration files and arguments, resolved by `ssh -G`.

The same `Host`, `Match` and `Include` lines count as for the operator's own ssh. A process is started only where a
configuration file says something that matters; without one, or without an ssh client, the arguments are read here.
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
from harbor_agent.transport.ssh.config.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harbor_agent.transport.ssh.config.settings import Destination, HostConfig

SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
_HINT = "correct the ssh configuration; ssh -G HOST shows what it makes of it"
_SECONDS_FOR_SSH = 20.0
_DEEPEST_INCLUDE = 16
_KEYWORD = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*)")
# What a connection depends on. The system's file of most distributions has none of them.
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
    """The configuration that holds for a run; which files there are is looked at once."""

    def __init__(self) -> None:
        """Look at what the files of the user and of the system say."""
        self._user_file = Path.home() / ".ssh/config"
        self._client = shutil.which("ssh")
        self._matters = any(_KEYWORDS & set(_keywords(file)) for file in (self._user_file, SYSTEM_CONFIG))

    def resolve(self, destination: Destination, *, thoroughly: bool = False) -> HostConfig:
        """Return how `destination` is reached.

        `thoroughly` asks ssh also where its files hold nothing that a connection depends on. Raises ConfigError where
        the configuration or an argument is wrong, or a file counts and there is no ssh client to read it.
        """
        file = destination.arguments.config_file
        counts = self._matters if file is None else file != "none"
        if self._client and (counts or (thoroughly and file is None)):
            return self._settings(destination, self._ask(self._client, destination))
        if counts:
            message = f"there is no ssh client here to read {file or self._user_file} with"
            hint = "install one (openssh-client), or set ansible_ssh_common_args='-F none' to go without that file"
            raise ConfigError(message, hint)
        return self._settings(destination, destination.arguments.as_mapping(destination.name))

    @staticmethod
    def _settings(destination: Destination, found: Mapping[str, tuple[str, ...]]) -> HostConfig:
        try:
            return settings_from(destination, found)
        except ValueError as error:
            raise ConfigError(f"an ssh option of {destination.name} has a value that is none ({error})") from None

    def _ask(self, client: str, destination: Destination) -> dict[str, tuple[str, ...]]:
        options = [*_own_options(destination), *destination.arguments.options]
        command = [client, "-G", *self._which_file(destination.arguments.config_file)]
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
            message = f"ssh -G {destination.name} gave no answer within {_SECONDS_FOR_SSH:.0f} s"
            raise ConfigError(message) from None
        if done.returncode:
            said = [line for line in done.stderr.decode(errors="replace").splitlines() if "Pseudo-term" not in line]
            raise ConfigError(f"ssh does not take its configuration ({'; '.join(said) or 'and does not say why'})")
        found: dict[str, tuple[str, ...]] = {}
        for line in done.stdout.decode(errors="surrogateescape").splitlines():
            name, _, value = line.partition(" ")
            found[name] = (*found.get(name, ()), *(value.split() if name in LISTS else (value,)))
        return found

    def _which_file(self, named: str | None) -> tuple[str, ...]:
        """Name the user's file where HOME is not the account's: ssh itself does not look at HOME."""
        if named is not None:
            return ("-F", named)
        with suppress(KeyError):  # a user without a name, in a container: ssh has its own words for that
            if Path(pwd.getpwuid(os.getuid()).pw_dir) == Path.home():
                return ()
        return ("-F", str(self._user_file if self._user_file.exists() else SYSTEM_CONFIG))


def _own_options(destination: Destination) -> Iterator[str]:
    if destination.user is not None:
        yield f'User="{destination.user}"'
    if destination.port is not None:
        yield f"Port={destination.port}"


def _keywords(file: Path, depth: int = 0) -> Iterator[str]:
    """Yield the keywords of a file and of those that it includes; a file that cannot be read has none."""
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
                place = str(file.parent / os.path.expanduser(pattern.strip('"')))  # noqa: PTH111 - a pattern
                for included in sorted(glob(place)):  # noqa: PTH207 - absolute patterns too
                    yield from _keywords(Path(included), depth + 1)
