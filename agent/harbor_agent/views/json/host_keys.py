"""The document of host keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.transport.ssh.host_keys import KeyStatus
from harbor_agent.views.json.common import begin_document, explain

if TYPE_CHECKING:
    from harbor_agent.engine.host_keys import TrustReport
    from harbor_agent.transport.ssh.host_keys import HostKey
    from harbor_agent.views.json.common import Json

TRUST_SCHEMA = "harbor-agent/trust/2"


def build_trust_document(report: TrustReport) -> Json:
    """Return the object that `trust-hosts -o json` prints."""
    statuses = [key.status for key in report.keys]
    return {
        **begin_document(TRUST_SCHEMA),
        "exit_code": int(report.exit_code),
        "summary": {status.value: statuses.count(status) for status in KeyStatus},
        "hosts": [_describe_host(key) for key in report.keys],
    }


def _describe_host(key: HostKey) -> Json:
    return {
        "host": key.host,
        "known_as": key.known_as,
        "nodes": list(key.nodes),
        "status": key.status.value,
        "key_type": key.key_type or None,
        "fingerprint": key.fingerprint or None,
        "known_hosts": str(key.file) if key.file and key.status is KeyStatus.ADDED else None,
        **explain(key.problem),
    }
