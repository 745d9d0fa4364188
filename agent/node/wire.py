"""What goes to a node and what comes back: every program and its answer, versioned.

The programs are POSIX sh beside this file; nothing secret is in their arguments. Encoding is pure apart from
reading those texts (agent/resources.py).
"""

from agent.node.framing import WireError
from agent.node.probe_wire import decode_probe, probe_program
from agent.node.record_wire import decode_record, encode_record

__all__ = [
    "WireError",
    "decode_probe",
    "decode_record",
    "encode_record",
    "probe_program",
]
