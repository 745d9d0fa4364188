"""Print one password for Ansible, as its password file: python -m harbor_agent.transport.ansible.password NAME."""

from __future__ import annotations

import os
import sys

from harbor_agent.transport.ansible.job_protocol import SOCKET_VARIABLE, JobClient


def main() -> None:
    """Ask harbor-agent for the password and print it."""
    with JobClient(os.environ[SOCKET_VARIABLE]) as errand:
        sys.stdout.buffer.write(errand.ask(sys.argv[1]))


if __name__ == "__main__":
    main()
