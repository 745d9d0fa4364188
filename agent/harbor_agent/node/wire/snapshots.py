"""The backups of a transaction: the program that reads them, and its document as a `Snapshot`."""

from __future__ import annotations

import re

from harbor_agent.model.program import Program
from harbor_agent.model.result import TransactionPhase
from harbor_agent.model.snapshot import SavedFile, Snapshot
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.node.wire.framing import (
    WireError,
    compose,
    decode_text,
    parse_number,
    read_block,
    read_code,
    read_path,
    read_word,
    refuse,
    unframe,
)
from harbor_agent.node.wire.runtimes import UNNAMED
from harbor_agent.resources import read_node_program

_SCHEMA = "harbor-agent/history/1"
_PRISTINE = "pristine"
_PARTS = ("journal.sh", "files.sh", "snapshots.sh")
_WHAT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}\Z")
_HINTS = {
    "history-empty": "this node has nothing to roll back",
    "history-unknown": "name one of those; older ones were deleted, the pristine originals never are",
    "history-backup-missing": "roll back to another transaction or to the pristine originals, or edit the file by hand",
    "not-root": "let the login user become root",
}


def build_snapshot_program(what: str) -> Program:
    """Build the program that reads the files from before a transaction; it changes nothing.

    `what` is a transaction's ID, "last" (the node's newest committed one) or "pristine" (every file as it was before
    this tool first changed it). Raises ValueError for anything else.
    """
    if not _WHAT.match(what):
        raise ValueError(f"{what!r} is neither a transaction ID nor 'last' nor 'pristine'")
    texts = [read_node_program(part) for part in _PARTS]
    return Program(stdin=compose(texts, {}), arguments=(what,), privileged=True)


def decode_snapshot(stdout: bytes) -> Snapshot:
    """Decode the output of `build_snapshot_program`.

    Raises WireError if there is nothing to restore (`history-empty`, `history-unknown`,
    `history-backup-missing`, `not-root`), and if the document is truncated or has another form.
    """
    words: dict[str, str] = {}
    files: list[SavedFile] = []
    lines = unframe(stdout, _SCHEMA)
    for line in lines:
        keyword, _, rest = line.partition(" ")
        if keyword == "problem":
            raise _build_problem(rest)
        if keyword == "file":
            files.append(_parse_file(rest, read_block(lines)))
        elif keyword in ("transaction", "phase", "runtime"):
            words[keyword] = "" if rest == "-" else rest
        else:
            raise refuse("node-answer-unknown", f"the node's answer has the unknown line {line[:80]!r}")
    try:
        return Snapshot(
            transaction=read_word(words["transaction"], "a transaction"),
            runtime=words["runtime"] or ("" if words["transaction"] == _PRISTINE else UNNAMED),
            files=tuple(files),
            phase=TransactionPhase(words["phase"]),
        )
    except (KeyError, ValueError):
        raise refuse("node-answer-unknown", "the node's answer has an unknown form") from None


def _build_problem(rest: str) -> WireError:
    code, _, detail = rest.partition(" ")
    return WireError.of(read_code(code), decode_text(detail).decode("utf-8", "replace"), _HINTS.get(code, ""))


def _parse_file(rest: str, content: bytes) -> SavedFile:
    """Parse five words of the state before, five of the state after, and the path."""
    *facts, path = rest.split(" ", 10)
    read_path(path)
    match facts:
        case ["absent", "-", "-", "-", "-", kind, _, _, _, _]:
            state = FileState(path=path)
        case ["regular", mode, uid, gid, _, kind, _, _, _, _]:
            permissions, owner, group = parse_number(mode, 8), parse_number(uid), parse_number(gid)
            state = FileState(path=path, kind=FileKind.REGULAR, content=content, mode=permissions, uid=owner, gid=group)
        case _:
            raise refuse("node-answer-unknown", f"the node's answer has the unknown file line {rest[:80]!r}")
    return SavedFile(path=path, state=state, written="" if kind == "-" else " ".join(facts[5:]))
