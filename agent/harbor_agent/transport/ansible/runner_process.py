"""ansible-runner in a process of its own: python -m harbor_agent.transport.ansible.runner_process.

It reads the arguments of ansible_runner.run as JSON from standard input, and prints a line of JSON for each task that
failed on a host, and one at the end. ansible-runner writes the environment of its process to its artifacts, so this
process gets a reduced environment.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_FAILURES = frozenset({"runner_on_failed", "runner_on_unreachable", "error"})


def main() -> None:
    """Run ansible-runner."""
    import ansible_runner  # noqa: PLC0415 - this process is for nothing else

    arguments = json.load(sys.stdin)
    runner = ansible_runner.run(**arguments, event_handler=_print_failure, quiet=True)
    output = "" if runner.rc == 0 else runner.stdout.read()
    _print({"rc": runner.rc, "output": output})


def _print_failure(event: dict[str, Any]) -> bool:
    """Print the failure in an event; return False so that ansible-runner writes no file for the event."""
    if event["event"] in _FAILURES:
        data = event.get("event_data", {})
        result = data.get("res") or {}
        _print({"host": data.get("host", ""), "message": str(result.get("msg", "")) or event.get("stdout", "")})
    return False


def _print(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)  # noqa: T201 - the parent reads it


if __name__ == "__main__":
    main()
