"""A TCP proxy that resets one connection after a number of bytes: `cutting_proxy.py HOST PORT WHICH BYTES REPORT`.

Listens on a port of its own choice, which it prints. Connections are counted from 1; of connection WHICH both sides
are reset as soon as BYTES have come from the client, then REPORT is written. Every other one is passed on.
"""

from __future__ import annotations

import socket
import struct
import sys
from pathlib import Path
from threading import Thread

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def _pass_on(source: socket.socket, target: socket.socket, limit: int | None, report: Path) -> None:
    left = limit
    try:
        while data := source.recv(65536 if left is None else min(65536, left)):
            target.sendall(data)
            if left is not None:
                left -= len(data)
                if left == 0:
                    report.write_text("cut\n")
                    for end in (source, target):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                        end.shutdown(socket.SHUT_RD)
                        end.close()
                    return
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def main(host: str, port: int, which: int, limit: int, report: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)  # noqa: T201 - that is its answer
        connections = 0
        while True:
            client, _ = server.accept()
            connections += 1
            node = socket.create_connection((host, port))
            cut = limit if connections == which else None
            Thread(target=_pass_on, args=(client, node, cut, report), daemon=True).start()
            Thread(target=_pass_on, args=(node, client, None, report), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
