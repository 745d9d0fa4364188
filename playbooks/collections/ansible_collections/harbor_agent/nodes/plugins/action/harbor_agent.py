"""One phase of harbor-agent for the host of the task; the package does the work."""

from __future__ import annotations

import sys
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from harbor_agent.engine.ansible_task import TaskRequest, run_task
    from harbor_agent.errors import AgentError
    from harbor_agent.model.inventory import Node
    from harbor_agent.transport.ansible.task_transport import TaskTransport, check_host_keys
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

# As in the documentation, plugins/modules/harbor_agent.py.
_PHASES = ("reach", "require_reach", "login", "probe", "plan", "apply", "verify", "secret")
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "phase": {"type": "str", "required": True, "choices": _PHASES},
    "config": {"type": "path"},
    "repair": {"type": "bool", "default": False},
    "accept_restart": {"type": "bool", "default": False},
    "note": {"type": "str", "default": ""},
    "run_id": {"type": "str", "default": ""},
    "reach": {"type": "list", "elements": "dict", "default": []},
}
# Their results are for people: Ansible prints them without -v.
_PRINTED_PHASES = frozenset({"probe", "plan", "apply", "verify", "secret"})


class ActionModule(ActionBase):
    """The module `harbor_agent`. Its argument `phase` is a `Phase` of `engine/ansible_task.py`."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of the phase: `changed`, `diff`, `msg` and more. Raises AnsibleActionFail."""
        result = super().run(tmp, task_vars)
        if MISSING is not None:
            raise AnsibleActionFail(_describe_missing(MISSING))
        _, arguments = self.validate_argument_spec(_ARGUMENTS)
        check_host_keys(self)
        hostvars = task_vars["hostvars"]
        request = TaskRequest(
            node=self._build_node(task_vars["inventory_hostname"], task_vars),
            nodes=[self._build_node(host, hostvars[host]) for host in task_vars["ansible_play_hosts_all"]],
            check_mode=self._task.check_mode,
            **arguments,
        )
        printed = {"_ansible_verbose_always": True} if request.phase in _PRINTED_PHASES else {}
        try:
            return result | printed | run_task(request, TaskTransport(self))
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


def _describe_missing(error: ImportError) -> str:
    return (
        f"the Python that runs Ansible ({sys.executable}) cannot import the package harbor-node-agent ({error}); "
        "install it there, in the version of this collection; for AWX, in the execution environment"
    )
