"""Who does the job on a fleet, and how each is told to: harbor-agent, bare paramiko, parallel-ssh, pyinfra, Ansible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ssh.applied import SAME_FILE
from harbor_agent.node.wire.programs import build_probe_program

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.ssh.nodes import Hosts

REGISTRY = "192.168.0.99"
PACKAGES = {"parallel-ssh": "parallel-ssh", "pyinfra": "pyinfra", "Ansible": "ansible-core"}
BARE = "bare paramiko"
OURS = ("harbor-agent plan", "harbor-agent drift", "harbor-agent apply, nothing to change")
HERE = Path(__file__).parent
DEPLOY = """
from io import StringIO
from pyinfra.operations import files, server
files.put(src=StringIO({text!r}), dest="/etc/docker/same")
server.shell(commands=["docker info"])
"""
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.copy: {{content: {text}, dest: /etc/docker/same}}
    - ansible.builtin.command: docker info
      changed_when: false
"""


@dataclass(frozen=True, kw_only=True)
class Work:
    """Which hosts are worked on: `count` of them, at `port`, `forks` at a time."""

    hosts: Hosts
    count: int
    port: int
    forks: int

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.hosts.addresses[: self.count]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One competitor.

    `command` also writes its files, `is_done` looks at what it said and how many hosts there are; `rounds_at_most` and
    `hosts_at_most` are for one that takes minutes.
    """

    name: str
    command: Callable[[Work], list[str]]
    is_done: Callable[[str, int], bool]
    environment: dict[str, str] = field(default_factory=dict)
    rounds_at_most: int = 99
    hosts_at_most: int = 10_000


def bare_paramiko() -> Side:
    return Side(name=BARE, command=lambda work: _script(sys.executable, "bare_paramiko.py", work), is_done=_probed)


def ours() -> list[Side]:
    plan, drift, apply = OURS
    return [
        Side(name=plan, command=lambda work: _ours(work, "plan"), is_done=_summed("unchanged")),
        Side(name=drift, command=lambda work: _ours(work, "drift"), is_done=_summed("in sync")),
        Side(name=apply, command=lambda work: _ours(work, "apply", "--yes"), is_done=_summed("unchanged")),
    ]


def plan_of_changes() -> Side:
    return Side(
        name="harbor-agent plan, all to change", command=lambda work: _ours(work, "plan"), is_done=_summed("to change")
    )


def peers() -> tuple[list[Side], dict[str, str]]:
    """Return the peers that could be installed, each in an environment of its own, and why others could not."""
    sides, missing = [], {}
    for name, package in PACKAGES.items():
        folder = _cache() / package
        why_not = _install(folder, package)
        if why_not:
            missing[name] = why_not
        else:
            sides.append(_PEERS[name](folder))
    return sides, missing


def _parallel_ssh(folder: Path) -> Side:
    python = str(folder / "bin/python")
    command = lambda work: _script(python, "parallel_ssh.py", work)  # noqa: E731 - one of three
    return Side(name="parallel-ssh", command=command, is_done=_probed)


def _pyinfra(folder: Path) -> Side:
    def command(work: Work) -> list[str]:
        home = work.hosts.home
        facts = {
            "ssh_user": "root",
            "ssh_port": work.port,
            "ssh_key": str(home / "client"),
            "ssh_known_hosts_file": str(home / ".ssh/known_hosts"),
            "ssh_strict_host_key_checking": "yes",
        }
        (home / "hosts.py").write_text(f"nodes = {[(address, facts) for address in work.addresses]!r}\n")
        (home / "deploy.py").write_text(DEPLOY.format(text=SAME_FILE))
        return [str(folder / "bin/pyinfra"), "hosts.py", "deploy.py", "--yes", "--parallel", str(work.forks)]

    return Side(name="pyinfra", command=command, is_done=_nothing_put)


def _ansible(folder: Path) -> Side:
    def command(work: Work) -> list[str]:
        write_inventory(work)
        (work.hosts.home / "playbook.yml").write_text(PLAYBOOK.format(text=json.dumps(SAME_FILE)))
        known_hosts = f"-o UserKnownHostsFile={work.hosts.home}/.ssh/known_hosts"
        arguments = f"-o ControlMaster=auto -o ControlPersist=5s {known_hosts}"
        program = str(folder / "bin/ansible-playbook")
        options = ["-i", "inventory.ini", "-f", str(work.forks), "-e", f"ansible_ssh_args='{arguments}'"]
        return [
            "/bin/sh",
            "-c",
            'ANSIBLE_SSH_CONTROL_PATH_DIR=$(mktemp -d -p "$PWD") exec "$@"',
            "sh",
            program,
            *options,
            "playbook.yml",
        ]

    environment = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3"}
    return Side(
        name="Ansible",
        command=command,
        is_done=lambda said, count: said.count("changed=0    unreachable=0    failed=0") == count,
        environment=environment,
        rounds_at_most=1,
        hosts_at_most=200,
    )


_PEERS: dict[str, Callable[[Path], Side]] = {
    "parallel-ssh": _parallel_ssh,
    "pyinfra": _pyinfra,
    "Ansible": _ansible,
}


def write_inventory(work: Work) -> None:
    nodes = "".join(f"node{n} ansible_host={address}\n" for n, address in enumerate(work.addresses, start=1))
    home = work.hosts.home
    (home / "inventory.ini").write_text(
        f"[docker]\n{nodes}\n[docker:vars]\nansible_user=root\nansible_port={work.port}\n"
        f"ansible_ssh_private_key_file={home}/client\n"
    )


def _ours(work: Work, command: str, *options: str) -> list[str]:
    write_inventory(work)
    own = ["-i", "inventory.ini", "--registry", REGISTRY, "--forks", str(work.forks)]
    return [sys.executable, "-m", "harbor_agent.cli", command, *own, *options]


def _script(python: str, name: str, work: Work) -> list[str]:
    home = work.hosts.home
    (home / "program.sh").write_bytes(f"set -- {REGISTRY}; ".encode() + build_probe_program([]).stdin)
    return [python, str(HERE / name), str(home), str(work.port), str(work.forks), *work.addresses]


def _probed(said: str, count: int) -> bool:
    return said.count("harbor-agent/probe/1 end") == count


def _nothing_put(said: str, count: int) -> bool:
    """Whether pyinfra's table ends with Hosts, Success, Error, No Change as of `count` hosts whose file was there.

    Hosts share file systems: whoever put the file there would race with its neighbours and change what others find.
    """
    rows = [line.split() for line in said.splitlines() if line.lstrip().startswith("files.put (")]
    return [row[-4:] for row in rows] == [[str(count), "-", "-", str(count)]]


def _summed(word: str) -> Callable[[str, int], bool]:
    return lambda said, count: f"{count} {word}" in said.splitlines()[-1]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "harbor-agent-benchmarks"


def _install(folder: Path, package: str) -> str | None:
    """Have `package` in a virtual environment of its own; return why that failed, None where it is there."""
    done = folder / "installed"
    if done.exists():
        return None
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", package]
    ended = subprocess.run(pip, check=False, capture_output=True, text=True)
    if ended.returncode:
        lines = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")]
        return f"pip could not install {package}: {(lines or ['it does not say why'])[-1].removeprefix('ERROR: ')}"
    done.touch()
    return None
