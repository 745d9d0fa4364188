"""Programs carried to nodes by Ansible itself, over ansible-runner: its connection and become plugins, its settings."""

from __future__ import annotations

import time
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING

from agent import resources
from agent.transport.ansible.counter import Counter
from agent.transport.ansible.exchange import SOCKET_VARIABLE
from agent.transport.ansible.folder import CONNECTIONS, private_folder
from agent.transport.ansible.playbook import Playbook
from agent.transport.protocol import Lost

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agent.transport.protocol import Completed, Job

_POLL = 0.1


class AnsibleTransport:
    """Runs programs through Ansible on the hosts of an inventory, at most `forks` at once.

    `sources` are paths or host lists, as `load_inventory` takes them; a job's node is the host of its name.
    ansible.cfg and the environment's ANSIBLE_ settings count, but for three: host keys are always checked, a program
    is never tried twice, and connections that earlier runs left open are not used.
    """

    def __init__(self, *, sources: Sequence[str], forks: int) -> None:
        """Use the inventory `sources`."""
        self._sources = [_absolute(source) for source in sources]
        self._forks = forks

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
            counter = Counter(socket, jobs)
            process = self._start(folder, socket, jobs)
            try:
                yield from _results(counter, process, len(jobs))
            finally:
                counter.close()
                process.end()

    def _start(self, folder: Path, socket: Path, jobs: Sequence[Job]) -> Playbook:
        hosts = folder / "hosts"
        hosts.write_text("".join(f"{job.node.name}\n" for job in jobs), encoding="utf-8")
        arguments = {
            "private_data_dir": str(folder),
            "project_dir": str(Path.cwd()),
            "playbook": str(resources.playbook("carry.yml")),
            "inventory": self._sources,
            "limit": f"@{hosts}",
            "forks": self._forks,
            "settings": {"pexpect_timeout": 0.2},
            "envvars": {
                "ANSIBLE_HOST_KEY_CHECKING": "True",
                "ANSIBLE_RETRY_FILES_ENABLED": "False",
                "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / CONNECTIONS),
                "ANSIBLE_SSH_RETRIES": "0",
                SOCKET_VARIABLE: str(socket),
            },
        }
        return Playbook(arguments, folder)


def _absolute(source: str) -> str:
    """Return a host list as it is, and a path made absolute: ansible-runner takes a relative one for content."""
    return source if "," in source else str(Path(source).expanduser().absolute())


def _results(counter: Counter, process: Playbook, count: int) -> Iterator[Completed | Lost]:
    begin = time.monotonic()
    while count:
        over = not process.is_running
        try:
            yield counter.results.get(timeout=_POLL)
            count -= 1
        except Empty:
            if over:
                break
    process.wait()
    rest = counter.take_rest() if count else []
    for job in rest:
        yield Lost(job=job, problem=process.reason(job), started=False, seconds=time.monotonic() - begin)
    for _ in range(count - len(rest)):
        yield counter.results.get()
