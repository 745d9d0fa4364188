"""The same program on every host with parallel-ssh (libssh2, gevent). It verifies no host keys.

python parallel_ssh.py HOME PORT FORKS ADDRESS...   the program is HOME/program.sh, its arguments those in it
"""

from __future__ import annotations

import sys
from pathlib import Path

from pssh.clients import ParallelSSHClient


def main() -> None:
    home, port, forks, *addresses = sys.argv[1:]
    program = Path(home, "program.sh").read_text()
    client = ParallelSSHClient(
        addresses,
        port=int(port),
        user="root",
        pkey=str(Path(home, "client")),
        pool_size=int(forks),
        identity_auth=False,
    )
    for said in client.run_command(program, stop_on_errors=True):
        print("\n".join(said.stdout))
        assert said.exit_code == 0, list(said.stderr)


if __name__ == "__main__":
    main()
