"""A port of the machine's loopback, made to answer at an address of a lab's network too."""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLONE_NEWNET = 0x40000000


@contextmanager
def forwarded(namespace: str, port: int, address: str = "127.0.0.1") -> Iterator[None]:
    """Carry every connection to `address`:`port` inside `namespace` to 127.0.0.1 and the same port outside."""
    # A socket stays in the namespace where it was made; the thread that went there to make it ends.
    with ThreadPoolExecutor(max_workers=1) as elsewhere:
        listener = elsewhere.submit(_listen_inside, namespace, address, port).result()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=f"forward {port}", daemon=True)
    thread.start()

    async def serve() -> asyncio.Server:
        return await asyncio.start_server(lambda reader, writer: _carry(reader, writer, port), sock=listener)

    asyncio.run_coroutine_threadsafe(serve(), loop).result(timeout=10)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(_stop(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        listener.close()
        loop.close()


def _listen_inside(namespace: str, address: str, port: int) -> socket.socket:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns() is there from Python 3.12 on
    with Path("/run/netns", namespace).open("rb") as entry:
        if libc.setns(entry.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), namespace)
    return socket.create_server((address, port))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    with suppress(OSError, asyncio.CancelledError):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
    writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    finally:
        target.close()


async def _stop() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
