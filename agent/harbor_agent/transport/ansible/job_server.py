"""The server's end of the socket: gives each task its job once, and collects the results."""

from __future__ import annotations

import contextlib
import socketserver
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, cast

from harbor_agent.errors import Problem
from harbor_agent.transport.ansible.job_protocol import Frame, decode_result, encode_job
from harbor_agent.transport.protocol import Lost, begin_job, log_result
from harbor_agent.transport.shell.exchange import OUTCOME_UNKNOWN_HINT, add_node_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from harbor_agent.model.sensitive import Sensitive
    from harbor_agent.transport.ansible.job_protocol import Stream
    from harbor_agent.transport.protocol import Completed, Job

# The task enforces its own time limit; this is for a task that fails to.
_SECONDS_OF_GRACE = 2.0


class JobServer:
    """A server of jobs over a socket; `results` gets one result for each job that was fetched."""

    def __init__(self, path: Path, jobs: Iterable[Job], passwords: Mapping[str, Sensitive]) -> None:
        """Serve `jobs`, at most one per node, and `passwords` by their names, at the socket `path`."""
        self.results: SimpleQueue[Completed | Lost] = SimpleQueue()
        self.passwords = passwords
        self._waiting = {job.node.name: job for job in jobs}
        self._lock = threading.Lock()
        self._server = _Server(str(path), _Handler)
        self._server.jobs = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="job server")
        self._thread.start()

    def take_job(self, host: str) -> Job | None:
        """Return the job of `host` the first time, then None."""
        with self._lock:
            return self._waiting.pop(host, None)

    def take_unfetched(self) -> list[Job]:
        """Return the jobs that no task has fetched, and serve them no more."""
        with self._lock:
            rest, self._waiting = list(self._waiting.values()), {}
        return rest

    def close(self) -> None:
        """Accept no more connections; open ones stay until they end."""
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
            elif job := server.take_job(request.get("host", "")):
                begin_job(job)
                server.results.put(log_result(self._run_job(job)))

    def _run_job(self, job: Job) -> Completed | Lost:
        start = time.monotonic()
        try:
            encode_job(job).write(cast("Stream", self.wfile))
            self.connection.settimeout(job.timeout + _SECONDS_OF_GRACE)
            return decode_result(job, Frame.read(cast("Stream", self.rfile)))
        except TimeoutError:
            problem = Problem(code="program-timeout", message=f"not finished within {job.timeout:g} s")
        except (EOFError, OSError):
            message = "Ansible's task ended without a result"
            problem = Problem(code="connection-lost", message=message, hint=OUTCOME_UNKNOWN_HINT)
        return Lost(job=job, problem=add_node_name(job.node, problem), started=True, seconds=time.monotonic() - start)
