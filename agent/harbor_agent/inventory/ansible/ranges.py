"""A bound on host ranges such as node[1:50], which Ansible expands into memory without one."""

from __future__ import annotations

import re
from functools import cache, wraps
from math import prod

from ansible.errors import AnsibleError
from ansible.plugins import inventory

MAX_HOSTS = 100_000
_RANGE = re.compile(r"\[([0-9]*):([0-9]+)(?::([0-9]+))?\]")
_MAX_DIGITS = 18


@cache
def bound_ranges() -> None:
    """Let Ansible's inventory plugins refuse a pattern of more than `MAX_HOSTS` hosts; a slip would take all memory."""
    expand = inventory.expand_hostname_range

    @wraps(expand)
    def expand_bounded(line: str) -> list[str]:
        if count_hosts(line) > MAX_HOSTS:
            message = f"the host range expands to more than {MAX_HOSTS} hosts"
            raise AnsibleError(message)
        hosts: list[str] = expand(line)
        return hosts

    inventory.expand_hostname_range = expand_bounded


def count_hosts(pattern: str) -> int:
    """Return how many hosts the numeric ranges of a pattern expand to."""
    return prod(_count_numbers(*bounds) for bounds in _RANGE.findall(pattern))


def _count_numbers(begin: str, end: str, step: str) -> int:
    if max(len(begin), len(end), len(step)) > _MAX_DIGITS:
        return MAX_HOSTS + 1
    return max(1, (int(end) - int(begin or "0")) // max(1, int(step or "1")) + 1)
