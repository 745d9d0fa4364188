"""Every program for a node, and the decoder of what it prints.

The programs are POSIX sh (node/programs); nothing secret is in their arguments. Encoding is pure, except that it reads
those texts (resources.py).
"""

from harbor_agent.node.wire.cluster_dns import build_cluster_dns_program, decode_cluster_dns
from harbor_agent.node.wire.framing import WireError
from harbor_agent.node.wire.probe import READ_LOGINS, build_probe_program, decode_probe
from harbor_agent.node.wire.pull import build_login_program, build_pull_program, decode_pull
from harbor_agent.node.wire.record import build_record_program, decode_record, decode_recorded, encode_record
from harbor_agent.node.wire.snapshots import build_snapshot_program, decode_snapshot
from harbor_agent.node.wire.transaction import (
    build_begin_program,
    build_resolve_program,
    build_rollback_program,
    build_status_program,
    decode_report,
    read_step,
)

__all__ = [
    "READ_LOGINS",
    "WireError",
    "build_begin_program",
    "build_cluster_dns_program",
    "build_login_program",
    "build_probe_program",
    "build_pull_program",
    "build_record_program",
    "build_resolve_program",
    "build_rollback_program",
    "build_snapshot_program",
    "build_status_program",
    "decode_cluster_dns",
    "decode_probe",
    "decode_pull",
    "decode_record",
    "decode_recorded",
    "decode_report",
    "decode_snapshot",
    "encode_record",
    "read_step",
]
