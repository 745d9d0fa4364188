"""What goes to a node and what comes back: every program and its answer, versioned.

The programs are POSIX sh beside this file; nothing secret is in their arguments. Encoding is pure apart from
reading those texts (agent/harbor_agent/resources.py).
"""

from harbor_agent.node.wire.framing import WireError
from harbor_agent.node.wire.probe import decode_probe, probe_program
from harbor_agent.node.wire.pull import decode_pull, pull_program
from harbor_agent.node.wire.record import decode_record, decode_recorded, encode_record, record_program
from harbor_agent.node.wire.snapshots import decode_snapshot, snapshot_program
from harbor_agent.node.wire.transaction import begin_program, decode_report, rollback_program, status_program

__all__ = [
    "WireError",
    "begin_program",
    "decode_probe",
    "decode_pull",
    "decode_record",
    "decode_recorded",
    "decode_report",
    "decode_snapshot",
    "encode_record",
    "probe_program",
    "pull_program",
    "record_program",
    "rollback_program",
    "snapshot_program",
    "status_program",
]
