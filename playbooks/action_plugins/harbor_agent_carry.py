"""Carries one program of harbor-agent to the host of the task; everything about it is decided elsewhere."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase

from harbor_agent.transport.ansible.job_protocol import SOCKET_VARIABLE, JobClient
from harbor_agent.transport.ansible.task_transport import TaskTransport, disable_connection_reuse


class ActionModule(ActionBase):
    """Fetches the host's program from harbor-agent, runs it, and hands back what came of it."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return nothing of the result: harbor-agent has it from the socket."""
        super().run(tmp, task_vars)
        disable_connection_reuse(self)
        with JobClient(os.environ[SOCKET_VARIABLE]) as errand:
            job = errand.fetch(task_vars["inventory_hostname"])
            for result in TaskTransport(self).run([job]):
                errand.send_result(result)
        return {"changed": False}
