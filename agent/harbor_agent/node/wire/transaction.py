"""The transaction: a plan on its way to a node, and the node's report."""

from __future__ import annotations

import base64
import math
import re
from typing import TYPE_CHECKING

from harbor_agent.model.plan import LiveRestore
from harbor_agent.model.program import Program
from harbor_agent.model.result import TransactionPhase, TransactionReport
from harbor_agent.model.state import FileKind
from harbor_agent.node.wire.framing import compose, decode_text, read_code, refuse, unframe
from harbor_agent.node.wire.runtimes import RUNTIMES
from harbor_agent.resources import read_node_program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.model.plan import Plan

_SCHEMA = "harbor-agent/transaction/1"
_STEP = re.compile(rb"harbor-agent/step/1 ([a-z_]+(?:-[0-9]+)?)\r?")
_FUNCTIONS = (
    *("journal.sh", "files.sh", "trust_store.sh", "unit.sh", "dependents.sh", "stand_in.sh", "names/proof.sh"),
    *("restore.sh", "begin.sh"),
)
_LAST = "transaction.sh"
_TRANSACTION = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}\Z")
_PATH = re.compile(r"/[^\0-\x1f\x7f]*[^\0-\x20\x7f/]\Z")
_WORD = re.compile(r"[^\0-\x20\x7f]+\Z")


def build_begin_program(plan: Plan, *, transaction: str, record: bytes, deadline: float) -> Program:
    """Build the program that carries out `plan` and waits for the end.

    `record` (from `encode_record`) is stored on the node at the commit. `deadline` is the number of seconds in which
    the daemon must be healthy again; a restoration has as many once more. Sending the same transaction again only waits
    for it. Raises ValueError for a plan that cannot be encoded: a path with control characters, a change that would
    create anything but a regular file.
    """
    payload = {
        "PAYLOAD_PLAN": _encode_plan(plan, transaction, deadline),
        "PAYLOAD_PROGRAM": _compose({}, RUNTIMES[plan.activation.runtime].transaction),
        "PAYLOAD_RECORD": record,
    }
    for number, change in enumerate(plan.changes, start=1):
        if change.after.kind is FileKind.REGULAR:
            payload[f"PAYLOAD_CONTENT_{number}"] = change.after.content or b""
    return _build_program("begin", transaction, payload)


def build_status_program(transaction: str) -> Program:
    """Build the program that reports the phase of a transaction; it changes nothing."""
    return _build_program("status", transaction, {})


def build_rollback_program(transaction: str) -> Program:
    """Build the program that rolls back a committed or interrupted transaction; safe to repeat."""
    return _build_program("rollback", transaction, {})


def build_resolve_program(transaction: str) -> Program:
    """Build the program that ends a transaction: it waits for one under way, and rolls back an interrupted one."""
    return _build_program("resolve", transaction, {})


def read_step(line: bytes) -> str:
    """Return the step in a line that a program prints before its report, a word of the journal; "" for any other."""
    match = _STEP.fullmatch(line)
    return match[1].decode() if match else ""


def decode_report(stdout: bytes) -> TransactionReport:
    """Decode the output of any of the three. Raises WireError if it is truncated or has another form."""
    words: dict[str, str] = {}
    lost: list[str] = []
    for line in unframe(stdout, _SCHEMA):
        keyword, _, rest = line.partition(" ")
        if keyword in ("transaction", "phase", "step", "code", "detail"):
            words[keyword] = "" if rest == "-" else rest
        elif keyword == "lost":
            lost.append(rest)
        else:
            raise refuse("node-answer-unknown", f"the node's report has the unknown line {line[:80]!r}")
    try:
        phase = TransactionPhase(words["phase"])
    except (KeyError, ValueError):
        raise refuse("node-answer-unknown", "the node's report has no known phase") from None
    return TransactionReport(
        transaction=words.get("transaction", ""),
        phase=phase,
        step=words.get("step", ""),
        code=read_code(words["code"]) if words.get("code") else "",
        detail=decode_text(words.get("detail") or "-").decode("utf-8", "replace"),
        containers_lost=tuple(lost),
    )


def _build_program(verb: str, transaction: str, payload: dict[str, bytes]) -> Program:
    if not _TRANSACTION.match(transaction):
        raise ValueError(f"{transaction!r} is not a transaction ID")
    return Program(stdin=_compose(payload), arguments=(verb, transaction), privileged=True)


def _compose(payload: Mapping[str, bytes], runtime: Sequence[str] = ()) -> bytes:
    """Join the parts; only the copy that a node keeps needs those of a runtime."""
    return compose([read_node_program(part) for part in (*_FUNCTIONS, *runtime, _LAST)], payload)


def _encode_plan(plan: Plan, transaction: str, deadline: float) -> bytes:
    activation = plan.activation
    lines = [
        "harbor-agent/plan/1",
        f"transaction {transaction}",
        f"runtime {_check_word(activation.runtime)}",
        f"unit {_check_word(activation.unit)}",
        f"action {activation.action}",
        f"deadline {max(1, math.ceil(deadline))}",
    ]
    if activation.config_file:
        lines.append(f"config-file {_check_path(activation.config_file)}")
    if activation.live_restore in (LiveRestore.ON, LiveRestore.PLANNED):
        lines.append(f"live-restore {activation.live_restore}")
    lines += [f"expected {_check_word(entry)}" for entry in activation.expected]
    lines += [f"unexpected {_check_word(entry)}" for entry in activation.unexpected]
    lines += [f"name {_check_word(entry.address)} {_check_word(entry.name)}" for entry in plan.names]
    if activation.arguments:
        arguments = "".join(f"{argument}\0" for argument in activation.arguments).encode("utf-8", "surrogateescape")
        lines.append(f"arguments {base64.b64encode(arguments).decode()}")
    for number, change in enumerate(plan.changes, start=1):
        if change.after.kind not in (FileKind.REGULAR, FileKind.ABSENT):
            raise ValueError(f"{change.path} cannot be made a {change.after.kind}")
        facts = f"{change.before.fingerprint} {change.after.fingerprint}"
        lines.append(f"change {number} {facts} {_check_path(change.path)}")
    return "\n".join([*lines, "end", ""]).encode("utf-8", "surrogateescape")


def _check_path(path: str) -> str:
    """Return a path that one line of words can end with; it is compared with the resolved name on the node."""
    if not _PATH.match(path) or "//" in path or "/./" in path or "/../" in path:
        raise ValueError(f"{path!r} is not an absolute path in its shortest form")
    return path


def _check_word(text: str) -> str:
    if not _WORD.match(text):
        raise ValueError(f"{text!r} is not one word")
    return text
