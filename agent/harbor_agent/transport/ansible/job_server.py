"""The other end of the socket: hands each host's job to its task once, and gathers how the jobs end."""

from __future__ import annotations

import contextlib
import socketserver
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, cast

from harbor_agent.errors import Problem
from harbor_agent.transport.ansible.job_protocol import Frame, end_of, job_message
from harbor_agent.transport.protocol import Lost
from harbor_agent.transport.shell.exchange import on_node

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from harbor_agent.model.sensitive import Sensitive
    from harbor_agent.transport.ansible.job_protocol import Stream
    from harbor_agent.transport.protocol import Completed, Job

# The task's own limit comes first; this is for a task that does not keep it.
_SECONDS_OF_GRACE = 2.0


class JobServer:
    """Serves jobs over a socket until it is closed; results arrive in `results`, one a job that was fetched."""

    def __init__(self, path: Path, jobs: Iterable[Job], passwords: Mapping[str, Sensitive]) -> None:
        """Serve `jobs`, at most one a node, and `passwords` by their names, at the socket `path`."""
        self.results: SimpleQueue[Completed | Lost] = SimpleQueue()
        self.passwords = passwords
        self._waiting = {job.node.name: job for job in jobs}
        self._lock = threading.Lock()
        self._server = _Server(str(path), _Handler)
        self._server.jobs = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="job server")
        self._thread.start()

    def take(self, host: str) -> Job | None:
        """Return the job of `host`, once."""
        with self._lock:
            return self._waiting.pop(host, None)

    def take_rest(self) -> list[Job]:
        """Return the jobs that nobody has fetched, and hand none of them out any more."""
        with self._lock:
            rest, self._waiting = list(self._waiting.values()), {}
        return rest

    def close(self) -> None:
        """Serve no more; connections that are open are left to their end."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    jobs: JobServer


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast("_Server", self.server).jobs
        with contextlib.suppress(EOFError, OSError):
            request = Frame.read(cast("Stream", self.rfile)).head
            if password := server.passwords.get(request.get("secret", "")):
                secret = password.reveal().encode("utf-8", "surrogateescape")
                Frame(head={}, parts=(secret,)).write(cast("Stream", self.wfile))
            elif job := server.take(request.get("host", "")):
                server.results.put(self._carried(job))

    def _carried(self, job: Job) -> Completed | Lost:
        begin = time.monotonic()
        try:
            job_message(job).write(cast("Stream", self.wfile))
            self.connection.settimeout(job.timeout + _SECONDS_OF_GRACE)
            return end_of(job, Frame.read(cast("Stream", self.rfile)))
        except TimeoutError:
            problem = Problem(code="program-timeout", message=f"no end within {job.timeout:g} s")
        except (EOFError, OSError):
            hint = "nobody knows yet what the program did"
            problem = Problem(code="connection-lost", message="Ansible's task ended without a result", hint=hint)
        return Lost(job=job, problem=on_node(job.node, problem), started=True, seconds=time.monotonic() - begin)
