"""A TCP proxy in front of every host, which counts what passes, or lets it pass late.

python -m benchmarks.ssh.relay PORT TARGET_PORT MILLISECONDS COUNTS ADDRESS...   until standard input ends
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.ssh.nodes import Hosts

CHUNK = 65536


class Relay:
    def __init__(self, target_port: int, seconds: float) -> None:
        self.target_port, self.seconds = target_port, seconds
        self.connections = 0
        self.bytes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        address = writer.get_extra_info("sockname")[0]
        with contextlib.suppress(OSError):
            # The handshake of TCP takes a round trip as well.
            await asyncio.sleep(self.seconds)
            there_reader, there_writer = await asyncio.open_connection(address, self.target_port)
            await asyncio.gather(self.carry(reader, there_writer), self.carry(there_reader, writer))

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes, half a round trip later, in order and without holding up what follows."""
        loop = asyncio.get_running_loop()
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            with contextlib.suppress(OSError):
                while True:
                    due, data = await late.get()
                    if self.seconds:
                        await asyncio.sleep(due - loop.time())
                    if not data:
                        break
                    writer.write(data)
                    await writer.drain()
            writer.close()

        delivery = asyncio.create_task(deliver())
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                self.bytes += len(data)
                late.put_nowait((loop.time() + self.seconds / 2, data))
        late.put_nowait((loop.time() + self.seconds / 2, b""))
        await delivery


async def main() -> None:
    port, target_port, milliseconds, counts, *addresses = sys.argv[1:]
    relay = Relay(int(target_port), int(milliseconds) / 1000)
    for address in addresses:
        await asyncio.start_server(relay.serve, address, int(port), backlog=100)
    print("listening", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    Path(counts).write_text(json.dumps({"connections": relay.connections, "bytes": relay.bytes}))  # noqa: ASYNC240 - the last thing
    # Connections that somebody keeps for later end now, without a word.
    os._exit(0)


@contextmanager
def relayed(hosts: Hosts, count: int, *, milliseconds: int = 0) -> Iterator[Path]:
    """Serve the first `count` hosts on the proxy's port; the file that is yielded holds the counts afterwards."""
    counts = hosts.home / "counts.json"
    own = [str(hosts.proxy_port), str(hosts.port), str(milliseconds), str(counts)]
    command = [sys.executable, "-m", "benchmarks.ssh.relay", *own, *hosts.addresses[:count]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin, "a pipe"
        assert process.stdout, "a pipe"
        process.stdout.readline()
        try:
            yield counts
        finally:
            process.stdin.close()
            process.wait()


if __name__ == "__main__":
    asyncio.run(main())
