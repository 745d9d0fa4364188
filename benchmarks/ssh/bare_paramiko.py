"""The least that SSH to many hosts costs with paramiko: connect, run one program, read both streams. The baseline.

python bare_paramiko.py HOME PORT FORKS ADDRESS...   the program is HOME/program.sh, its arguments those in it
"""

from __future__ import annotations

import base64
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko


def main() -> None:
    home, port, forks, *addresses = sys.argv[1:]
    program = Path(home, "program.sh").read_bytes()
    key = paramiko.PKey.from_path(Path(home, "client"))
    kind, encoded, *_ = Path(home, "host.pub").read_text().split()
    host_key = paramiko.PKey.from_type_string(kind, base64.b64decode(encoded))

    def one(address: str) -> bytes:
        with paramiko.SSHClient() as client:
            client.get_host_keys().add(f"[{address}]:{port}", kind, host_key)
            client.connect(address, int(port), "root", pkey=key, allow_agent=False, look_for_keys=False)
            stdin, stdout, stderr = client.exec_command("/bin/sh -s")
            stdin.write(program)
            stdin.channel.shutdown_write()
            said, complained = stdout.read(), stderr.read()
            assert stdout.channel.recv_exit_status() == 0, complained
            return said

    with ThreadPoolExecutor(int(forks)) as pool:
        for said in pool.map(one, addresses):
            sys.stdout.buffer.write(said)


if __name__ == "__main__":
    main()
