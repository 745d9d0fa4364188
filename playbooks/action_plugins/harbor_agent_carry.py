"""Run one program of harbor-agent on the host of the task."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase

from harbor_agent.transport.ansible.job_protocol import SOCKET_VARIABLE, JobClient
from harbor_agent.transport.ansible.task_transport import TaskTransport, check_host_keys


class ActionModule(ActionBase):
    """The task of carry.yml: fetches the host's program from harbor-agent, runs it, and sends back the result."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return no result: harbor-agent gets it over the socket."""
        super().run(tmp, task_vars)
        check_host_keys(self)
        with JobClient(os.environ[SOCKET_VARIABLE]) as client:
            job = client.fetch_job(task_vars["inventory_hostname"])
            for result in TaskTransport(self).run([job]):
                client.send_result(result)
        return {"changed": False}
