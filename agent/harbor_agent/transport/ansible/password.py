"""Print one password to Ansible, as its password file: python -m harbor_agent.transport.ansible.password NAME."""

from __future__ import annotations

import os
import sys

from harbor_agent.transport.ansible.job_protocol import SOCKET_VARIABLE, JobClient


def main() -> None:
    """Fetch the password from harbor-agent and print it."""
    with JobClient(os.environ[SOCKET_VARIABLE]) as client:
        sys.stdout.buffer.write(client.fetch_password(sys.argv[1]))


if __name__ == "__main__":
    main()
