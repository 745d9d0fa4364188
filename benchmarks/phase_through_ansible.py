"""What a phase of --transport ansible costs over a playbook with one `raw: "true"`, on 50 loopback hosts.

    python -m benchmarks.phase_through_ansible [HOSTS [FORKS [ROUNDS]]]

Both sides are processes of their own, start-up included, turn and turn about, with the same inventory and forks, and
with no connection left open from before. Needs root for sshd's sake. Prints a table; always ends with 0.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.ssh.cost import WITH_BYTECODE
from benchmarks.ssh.nodes import can_serve, serving

if TYPE_CHECKING:
    from benchmarks.ssh.nodes import Hosts

DEFAULTS = (50, 10, 5)
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - raw: "true"
"""


def main() -> None:
    given = tuple(map(int, sys.argv[1:]))
    count, forks, rounds = (*given, *DEFAULTS[len(given) :])
    if not can_serve():
        print("needs root, /usr/sbin/sshd and a merged /usr: nothing was measured")
        return
    with serving(count) as hosts:
        names = prepare(hosts)
        sides = {
            "raw: true": [f"{Path(sys.executable).parent}/ansible-playbook", "-i", "inventory.ini", "raw.yml"],
            "a phase of ours": [sys.executable, "-m", "benchmarks.ssh.phase", "inventory.ini", str(forks), *names],
        }
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for round_number in range(rounds + 1):
            for name, command in sides.items():
                took = run(command, hosts, forks)
                if round_number:  # the first one only warms the file cache
                    seconds[name].append(took)
    report(seconds, count=count, forks=forks)


def prepare(hosts: Hosts) -> list[str]:
    names = [f"node{number}" for number, _ in enumerate(hosts.addresses, start=1)]
    nodes = "".join(f"{name} ansible_host={address}\n" for name, address in zip(names, hosts.addresses, strict=True))
    (hosts.home / "inventory.ini").write_text(
        f"[docker]\n{nodes}\n[docker:vars]\nansible_user=root\nansible_port={hosts.port}\n"
        f"ansible_ssh_private_key_file={hosts.home}/client\n"
        f"ansible_ssh_common_args=-o UserKnownHostsFile={hosts.home}/.ssh/known_hosts\n"
    )
    (hosts.home / "raw.yml").write_text(PLAYBOOK)
    return names


def run(command: list[str], hosts: Hosts, forks: int) -> float:
    """Run a command in the hosts' folder; return its seconds."""
    connections = tempfile.mkdtemp(dir="/dev/shm")
    root = Path(__file__).resolve().parents[1]
    environment = {
        **os.environ,
        **WITH_BYTECODE,
        "HOME": str(hosts.home),
        "PYTHONPATH": str(root / "agent"),
        "ANSIBLE_FORKS": str(forks),
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": connections,
    }
    begin = time.monotonic()
    done = subprocess.run(command, check=False, cwd=hosts.home, env=environment, capture_output=True, text=True)
    took = time.monotonic() - begin
    for master in Path(connections).iterdir():
        subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={master}", "none"], check=False, capture_output=True)
    shutil.rmtree(connections)
    assert done.returncode == 0, done.stdout + done.stderr
    return took


def report(seconds: dict[str, list[float]], *, count: int, forks: int) -> None:
    print(f"{count} hosts, {forks} forks, median of {len(next(iter(seconds.values())))} rounds")
    for name, row in seconds.items():
        print(f"{name:18}{median(row):8.2f} s   ({min(row):.2f} to {max(row):.2f})")
    raw, ours = (median(row) for row in seconds.values())
    print(f"{'ratio':18}{ours / raw:8.2f}   (at most 1.3 is asked for)")


if __name__ == "__main__":
    main()
