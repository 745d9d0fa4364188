"""What `trust-hosts -o json` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.transport.ssh.host_keys import KeyStatus

if TYPE_CHECKING:
    from harbor_agent.engine.host_keys import TrustReport
    from harbor_agent.transport.ssh.host_keys import HostKey

TRUST_SCHEMA = "harbor-agent/trust/1"


def trust_document(report: TrustReport) -> dict[str, object]:
    """Return the object that `trust-hosts -o json` prints."""
    statuses = [key.status for key in report.keys]
    return {
        "schema": TRUST_SCHEMA,
        "tool": f"harbor-agent {__version__}",
        "exit_code": int(report.exit_code),
        "summary": {status.value: statuses.count(status) for status in KeyStatus},
        "hosts": [_host(key) for key in report.keys],
    }


def _host(key: HostKey) -> dict[str, object]:
    problem = key.problem
    return {
        "host": key.host,
        "known_as": key.known_as,
        "nodes": list(key.nodes),
        "status": key.status.value,
        "key_type": key.key_type or None,
        "fingerprint": key.fingerprint or None,
        "known_hosts": str(key.file) if key.file and key.status is KeyStatus.ADDED else None,
        "code": problem.code if problem else None,
        "reason": problem.message if problem else None,
        "hint": problem.hint if problem else None,
    }
