"""One phase through Ansible, as harbor-agent does it: phase.py INVENTORY FORKS HOST..."""

from __future__ import annotations

import sys
from pathlib import Path

from harbor_agent.model.inventory import Node
from harbor_agent.model.program import Program
from harbor_agent.transport.ansible.transport import AnsibleTransport
from harbor_agent.transport.protocol import Completed, Job


def main() -> None:
    inventory, forks, *hosts = sys.argv[1:]
    nodes = [Node(name=host, address=host, user="root") for host in hosts]
    jobs = [Job(node=node, program=Program(stdin=b"true")) for node in nodes]
    results = list(AnsibleTransport(sources=[str(Path(inventory).absolute())], forks=int(forks)).run(jobs))
    assert all(isinstance(result, Completed) and result.rc == 0 for result in results), results[:3]
    print(f"{len(results)} completed")


if __name__ == "__main__":
    main()
