"""Programs run on nodes by Ansible itself, with its connection and become plugins and its settings."""

from __future__ import annotations

import importlib.util
import shlex
import sys
import time
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING

from harbor_agent import resources
from harbor_agent.errors import UsageError
from harbor_agent.transport.ansible.job_protocol import SOCKET_VARIABLE
from harbor_agent.transport.ansible.job_server import JobServer
from harbor_agent.transport.ansible.private_dir import private_directory
from harbor_agent.transport.ansible.runner import PlaybookProcess
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
    ansible.cfg and ANSIBLE_ environment variables apply, with three exceptions: host keys are always checked, a program
    is never run twice, and connections that earlier runs left open are not used.
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

        `vault_passwords` returns label and password of each vault; it is called when jobs are run. Raises UsageError if
        ansible-runner, an extra of the package, is not installed.
        """
        if importlib.util.find_spec("ansible_runner") is None:
            raise UsageError.of(
                "ansible-runner-missing",
                "--transport ansible needs the Python package ansible-runner, which is not installed",
                "install harbor-agent with it: pip install '.[ansible]', or use --transport ssh",
            )
        self._sources = list(sources)
        self._forks = forks
        self._login_password = login_password
        self._become_password = become_password
        self._vault_passwords = vault_passwords

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        """Yield exactly one result per job, as each ends. A problem of a node is a result, never an exception."""
        waiting = list(jobs)
        while waiting:
            # One playbook runs a task once per host: a second job for the same node waits for the next playbook.
            by_node: dict[str, Job] = {}
            rest = [job for job in waiting if by_node.setdefault(job.node.name, job) is not job]
            yield from self._run_playbook(list(by_node.values()))
            waiting = rest

    def _run_playbook(self, jobs: Sequence[Job]) -> Iterator[Completed | Lost]:
        with private_directory() as folder:
            socket = folder / "socket"
            passwords = list(self._iterate_passwords())
            by_name = {str(number): password for number, (_, password) in enumerate(passwords)}
            server = JobServer(socket, jobs, by_name)
            process = self._start_process(folder, socket, jobs, [use for use, _ in passwords])
            try:
                yield from _iterate_results(server, process, len(jobs))
            finally:
                server.close()
                process.terminate()

    def _iterate_passwords(self) -> Iterator[tuple[str, Sensitive]]:
        """Yield each password after its use: an option of the command line, or the label of a vault with "@"."""
        if self._login_password:
            yield "--connection-password-file", self._login_password
        if self._become_password:
            yield "--become-password-file", self._become_password
        for label, password in self._vault_passwords():
            yield f"{label}@", password

    def _start_process(self, folder: Path, socket: Path, jobs: Sequence[Job], uses: Sequence[str]) -> PlaybookProcess:
        hosts = folder / "hosts"
        hosts.write_text("".join(f"{job.node.name}\n" for job in jobs), encoding="utf-8")
        programs = [(use, _write_password_program(folder, number)) for number, use in enumerate(uses)]
        vaults = [f"{use}{program}" for use, program in programs if use.endswith("@")]
        arguments = {
            "private_data_dir": str(folder),
            "project_dir": str(Path.cwd()),
            "playbook": str(resources.find_playbook("carry.yml")),
            "inventory": self._sources,
            "limit": f"@{hosts}",
            "cmdline": " ".join(f"{use} {shlex.quote(program)}" for use, program in programs if use.startswith("--")),
            "forks": self._forks,
            "settings": {"pexpect_timeout": 0.2},
            "envvars": {
                "ANSIBLE_HOST_KEY_CHECKING": "True",
                "ANSIBLE_RETRY_FILES_ENABLED": "False",
                "ANSIBLE_SSH_RETRIES": "0",
                **_suppress_prompts(vaults),
                SOCKET_VARIABLE: str(socket),
            },
        }
        return PlaybookProcess(arguments, folder)


def _write_password_program(folder: Path, number: int) -> str:
    """Write a program that prints the password of this number, and return its path."""
    program = folder / f"password-{number}"
    command = f"{shlex.quote(sys.executable)} -P -m harbor_agent.transport.ansible.password {number}"
    program.write_text(f"#!/bin/sh\nexec {command}\n")
    program.chmod(0o700)
    return str(program)


def _suppress_prompts(vaults: Sequence[str]) -> dict[str, str]:
    """Return settings for Ansible to use the known passwords instead of prompts that the user cannot see."""
    settings = {f"ANSIBLE_{name}": "False" for name in ("ASK_PASS", "BECOME_ASK_PASS", "ASK_VAULT_PASS")}
    # Ansible takes an empty list for a file: the current directory.
    return settings | ({"ANSIBLE_VAULT_IDENTITY_LIST": ",".join(vaults)} if vaults else {})


def _iterate_results(server: JobServer, process: PlaybookProcess, count: int) -> Iterator[Completed | Lost]:
    start = time.monotonic()
    while count:
        has_ended = not process.is_running
        try:
            yield server.results.get(timeout=_POLL)
            count -= 1
        except Empty:
            if has_ended:
                break
    process.wait()
    rest = server.take_unfetched() if count else []
    for job in rest:
        yield Lost(job=job, problem=process.explain_unfetched(job), started=False, seconds=time.monotonic() - start)
    for _ in range(count - len(rest)):
        yield server.results.get()
