"""The documentation of the action plugin of the same name, which does the work on the controller."""

DOCUMENTATION = r"""
module: harbor_agent
short_description: Run one phase of harbor-agent for the host
version_added: 0.1.0
author:
  - The authors of harbor-node-agent (@harbor-node-agent)
description:
  - Plans, applies or verifies the trust of a container runtime in a Harbor that speaks plain HTTP or has its own CA.
  - The role P(harbor_agent.nodes.harbor_agent#role) and the playbook C(harbor_agent.nodes.site) run the phases in
    their order; a task of your own is seldom needed.
  - Host keys are always checked, and connections that ssh keeps open for other tasks are not used.
  - The registries come from the host's variable C(harbor_registries), and from the settings.
requirements:
  - harbor-node-agent, for the Python that runs Ansible; the host needs no Python
options:
  phase:
    description:
      - V(reach) checks which registries the host reaches.
      - V(require_reach) fails if hosts would restart for a registry that none of them reaches.
      - V(login) checks the login at the registry.
      - V(probe) reads the host.
      - V(plan) shows the plan.
      - V(apply) carries out the plan as a transaction on the host, and verifies it.
      - V(verify) checks the running daemon and pulls an image.
      - V(secret) writes the pull secrets to the cluster.
    type: str
    required: true
    choices: [reach, require_reach, login, probe, plan, apply, verify, secret]
  config:
    description:
      - Settings, with logins and pull secrets.
      - Without it, harbor-agent.yaml of the current directory if it exists.
    type: path
  repair:
    description: Also make repairs that activate settings without effect, or delete a key of somebody else.
    type: bool
    default: false
  accept_restart:
    description: Accept a restart that also activates edits of others.
    type: bool
    default: false
  note:
    description: A note that is kept on the changed host.
    type: str
    default: ""
  run_id:
    description: Joins the tasks of one play; the phase V(login) returns one.
    type: str
    default: ""
  reach:
    description: The results of the phase V(reach) of all hosts, for V(require_reach).
    type: list
    elements: dict
    default: []
attributes:
  check_mode:
    description: Changes nothing, and returns the plan.
    support: full
  diff_mode:
    description: Returns the diff of every file.
    support: full
"""

EXAMPLES = r"""
- name: Show what would change
  harbor_agent.nodes.harbor_agent:
    phase: plan
  become: true

- name: Check the running daemon and pull an image
  harbor_agent.nodes.harbor_agent:
    phase: verify
  become: true
"""

RETURN = r"""
msg:
  description: The reason of the outcome; for a problem its message, its code and what to do.
  returned: always
  type: str
outcome:
  description: The outcome for the host, as in the documents of harbor-agent.
  returned: phases V(plan), V(apply) and V(verify)
  type: str
  sample: changed
action:
  description: What the runtime does to take the change.
  returned: if there is a plan
  type: str
  sample: restart
containers_stopped:
  description: The containers that the restart stops.
  returned: if there is a plan
  type: list
  elements: str
route:
  description: Where the entry goes.
  returned: if there is a plan
  type: str
verified:
  description: Whether the daemon has the entry and a pull works.
  returned: phases V(apply) and V(verify)
  type: bool
proof:
  description: How a pull was proven, V(pull), or null if nothing was pulled.
  returned: phases V(apply) and V(verify)
  type: str
transaction:
  description: The ID of the transaction on the host.
  returned: if the host was changed
  type: str
code:
  description: The code of the problem, for C(harbor-agent explain).
  returned: if there is a problem
  type: str
hint:
  description: What to do about the problem.
  returned: if there is a problem
  type: str
"""
