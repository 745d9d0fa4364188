"""Programs carried to nodes by Ansible itself, over ansible-runner: its connection and become plugins, its settings."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING

from harbor_agent import resources
from harbor_agent.transport.ansible.job_protocol import SOCKET_VARIABLE
from harbor_agent.transport.ansible.job_server import JobServer
from harbor_agent.transport.ansible.private_dir import private_folder
from harbor_agent.transport.ansible.runner import Playbook
from harbor_agent.transport.protocol import Lost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from harbor_agent.model.sensitive import Sensitive
    from harbor_agent.transport.protocol import Completed, Job

_POLL = 0.1


class AnsibleTransport:
    """Runs programs through Ansible on the hosts of an inventory, at most `forks` at once.

    `sources` are absolute paths (ansible-runner takes a relative one for content) or host lists; a job's node is the
    host of its name.
    ansible.cfg and the environment's ANSIBLE_ settings count, but for three: host keys are always checked, a program
    is never tried twice, and connections that earlier runs left open are not used.
    """

    def __init__(
        self,
        *,
        sources: Sequence[str],
        forks: int,
        login_password: Sensitive | None = None,
        become_password: Sensitive | None = None,
        vault_passwords: Callable[[], Iterable[tuple[str, Sensitive]]] = tuple,
    ) -> None:
        """Use the inventory `sources`, and the passwords for hosts that have none of their own.

        `vault_passwords` returns label and password of each vault; it is called when jobs are run.
        """
        self._sources = list(sources)
        self._forks = forks
        self._login_password = login_password
        self._become_password = become_password
        self._vault_passwords = vault_passwords

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        """Yield exactly one result a job, as each ends. Raises nothing for a node's trouble."""
        waiting = list(jobs)
        while waiting:
            # One playbook runs a task once a host: a second job of the same node is for the next.
            by_node: dict[str, Job] = {}
            rest = [job for job in waiting if by_node.setdefault(job.node.name, job) is not job]
            yield from self._play(list(by_node.values()))
            waiting = rest

    def _play(self, jobs: Sequence[Job]) -> Iterator[Completed | Lost]:
        with private_folder() as folder:
            socket = folder / "socket"
            passwords = list(self._passwords())
            server = JobServer(socket, jobs, {str(number): known for number, (_, known) in enumerate(passwords)})
            process = self._start(folder, socket, jobs, [use for use, _ in passwords])
            try:
                yield from _results(server, process, len(jobs))
            finally:
                server.close()
                process.end()

    def _passwords(self) -> Iterator[tuple[str, Sensitive]]:
        """Yield what Ansible has to know, and for what: an option of its command line, or a vault's label and "@"."""
        if self._login_password:
            yield "--connection-password-file", self._login_password
        if self._become_password:
            yield "--become-password-file", self._become_password
        for label, password in self._vault_passwords():
            yield f"{label}@", password

    def _start(self, folder: Path, socket: Path, jobs: Sequence[Job], uses: Sequence[str]) -> Playbook:
        hosts = folder / "hosts"
        hosts.write_text("".join(f"{job.node.name}\n" for job in jobs), encoding="utf-8")
        programs = [(use, _password_program(folder, number)) for number, use in enumerate(uses)]
        vaults = [f"{use}{program}" for use, program in programs if use.endswith("@")]
        arguments = {
            "private_data_dir": str(folder),
            "project_dir": str(Path.cwd()),
            "playbook": str(resources.playbook("carry.yml")),
            "inventory": self._sources,
            "limit": f"@{hosts}",
            "cmdline": " ".join(f"{use} {shlex.quote(program)}" for use, program in programs if use.startswith("--")),
            "forks": self._forks,
            "settings": {"pexpect_timeout": 0.2},
            "envvars": {
                "ANSIBLE_HOST_KEY_CHECKING": "True",
                "ANSIBLE_RETRY_FILES_ENABLED": "False",
                "ANSIBLE_SSH_RETRIES": "0",
                **_asking_nothing(vaults),
                SOCKET_VARIABLE: str(socket),
            },
        }
        return Playbook(arguments, folder)


def _password_program(folder: Path, number: int) -> str:
    """Make a program that prints the password of this number, and return its path."""
    program = folder / f"password-{number}"
    command = f"{shlex.quote(sys.executable)} -P -m harbor_agent.transport.ansible.password {number}"
    program.write_text(f"#!/bin/sh\nexec {command}\n")
    program.chmod(0o700)
    return str(program)


def _asking_nothing(vaults: Sequence[str]) -> dict[str, str]:
    """Return the settings by which Ansible takes what was typed already, and asks on no terminal that nobody sees."""
    settings = {f"ANSIBLE_{name}": "False" for name in ("ASK_PASS", "BECOME_ASK_PASS", "ASK_VAULT_PASS")}
    # An empty list would name a file: the current folder.
    return settings | ({"ANSIBLE_VAULT_IDENTITY_LIST": ",".join(vaults)} if vaults else {})


def _results(server: JobServer, process: Playbook, count: int) -> Iterator[Completed | Lost]:
    begin = time.monotonic()
    while count:
        over = not process.is_running
        try:
            yield server.results.get(timeout=_POLL)
            count -= 1
        except Empty:
            if over:
                break
    process.wait()
    rest = server.take_rest() if count else []
    for job in rest:
        yield Lost(job=job, problem=process.reason(job), started=False, seconds=time.monotonic() - begin)
    for _ in range(count - len(rest)):
        yield server.results.get()
