"""One phase of harbor-agent for the host of the task; the package does the work."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from harbor_agent.engine.ansible_task import TaskRequest, run_task
from harbor_agent.errors import AgentError
from harbor_agent.model.inventory import Node
from harbor_agent.transport.ansible.task_transport import TaskTransport

_ARGUMENTS = frozenset({"phase", "config", "run_id", "repair", "accept_restart", "note", "reach"})


class ActionModule(ActionBase):
    """The module `harbor_agent`. Its argument `phase` is a `Phase` of `engine/ansible_task.py`."""

    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS = _ARGUMENTS

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of the phase: `changed`, `diff`, `msg` and more. Raises AnsibleActionFail."""
        result = super().run(tmp, task_vars)
        hostvars = task_vars["hostvars"]
        request = TaskRequest(
            node=self._build_node(task_vars["inventory_hostname"], task_vars),
            nodes=[self._build_node(host, hostvars[host]) for host in task_vars["ansible_play_hosts_all"]],
            check_mode=self._task.check_mode,
            **{name: value for name, value in self._task.args.items() if value is not None},
        )
        try:
            return result | run_task(request, TaskTransport(self))
        except AgentError as error:
            problem = error.problem
            hint = f"; {problem.hint}" if problem.hint else ""
            raise AnsibleActionFail(f"{problem.message} [{problem.code}]{hint}") from None

    def _build_node(self, name: str, variables: dict[str, Any]) -> Node:
        templated = {key: self._templar.template(variables[key]) for key in variables if key.startswith("harbor_")}
        skip = templated.get("harbor_skip")
        return Node(
            name=name,
            address=str(variables.get("ansible_host", name)),
            user=self._get_remote_user(),
            groups=tuple(variables.get("group_names", ())),
            variables=templated,
            skip_reason=str(skip) if skip else None,
        )
