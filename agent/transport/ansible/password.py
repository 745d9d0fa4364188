"""Prints one password for Ansible, whose password file it is: python -m agent.transport.ansible.password NAME."""

from __future__ import annotations

import os
import sys

from agent.transport.ansible.exchange import SOCKET_VARIABLE, Errand


def main() -> None:
    """Ask harbor-agent for the password and print it."""
    with Errand(os.environ[SOCKET_VARIABLE]) as errand:
        sys.stdout.buffer.write(errand.ask(sys.argv[1]))


if __name__ == "__main__":
    main()
