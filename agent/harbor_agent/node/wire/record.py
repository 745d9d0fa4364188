"""The record of the last change to a runtime, as JSON in /var/lib/harbor-agent/record."""

from __future__ import annotations

import json
from typing import TypedDict

from harbor_agent.errors import Problem
from harbor_agent.model.program import Program
from harbor_agent.model.state import EarlierSetting, Record
from harbor_agent.node.wire.framing import WireError, compose, decode_json, decode_text, read_code, refuse, unframe
from harbor_agent.resources import read_node_program

_SCHEMA = "harbor-agent/record/1"
_ANSWER = "harbor-agent/recorded/1"
_PARTS = ("journal.sh", "files.sh", "record.sh")
_FOLDER = "/var/lib/harbor-agent/record"


class _Earlier(TypedDict):
    """A setting as it was before this tool changed it."""

    value: str | None
    names: list[str]


class _Required(TypedDict):
    """The members of every record."""

    schema: str
    tool: str
    run_id: str
    policy_digest: str
    entries: list[str]
    created_files: list[str]
    file_hashes: dict[str, str]


class _Document(_Required, total=False):
    """A record as JSON; records of earlier versions lack these members."""

    note: str
    approved_run: str
    argv: list[str]
    expected_entries: list[str]
    unexpected_entries: list[str]
    original_hashes: dict[str, str]
    earlier_settings: dict[str, _Earlier]


def encode_record(record: Record) -> bytes:
    """Return the record as the node keeps it: JSON with sorted keys and the version of this tool."""
    document = {
        "schema": _SCHEMA,
        "tool": record.tool,
        "run_id": record.run_id,
        "note": record.note,
        "policy_digest": record.policy_digest,
        "entries": list(record.entries),
        "created_files": list(record.created_files),
        "file_hashes": dict(record.file_hashes),
        "approved_run": record.approved_run,
        "argv": list(record.argv),
        "expected_entries": list(record.expected_entries),
        "unexpected_entries": list(record.unexpected_entries),
        "original_hashes": dict(record.original_hashes),
        "earlier_settings": {
            path: {"value": one.value, "names": list(one.names)} for path, one in record.earlier_settings.items()
        },
    }
    return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"


def decode_record(content: bytes, runtime: str) -> Record:
    """Decode the output of `encode_record`. Raises WireError (`record-unreadable`) for anything else.

    Records of older builds lack some members; their runs were all started by people.
    """
    try:
        document = decode_json(content, _Document)
    except ValueError:
        document = None
    if document is None or document["schema"] != _SCHEMA:
        message = "the node's record has an unknown form"
        hint = f"use the harbor-agent that wrote it if it is newer; otherwise move {_FOLDER}/{runtime}.json away"
        raise WireError.of("record-unreadable", message, hint)
    return Record(
        tool=document["tool"],
        run_id=document["run_id"],
        note=document.get("note", ""),
        policy_digest=document["policy_digest"],
        entries=tuple(document["entries"]),
        created_files=tuple(document["created_files"]),
        file_hashes=document["file_hashes"],
        approved_run=document.get("approved_run", document["run_id"]),
        argv=tuple(document.get("argv", ())),
        expected_entries=tuple(document.get("expected_entries", ())),
        unexpected_entries=tuple(document.get("unexpected_entries", ())),
        original_hashes=document.get("original_hashes", {}),
        earlier_settings={
            path: EarlierSetting(value=one["value"], names=tuple(one["names"]))
            for path, one in document.get("earlier_settings", {}).items()
        },
    )


def build_record_program(record: Record, runtime: str) -> Program:
    """Build the program that writes the record of a runtime that needed no change; safe to repeat."""
    payload = {"PAYLOAD_RECORD": encode_record(record)}
    return Program(
        stdin=compose([read_node_program(part) for part in _PARTS], payload), arguments=(runtime,), privileged=True
    )


def decode_recorded(stdout: bytes) -> Problem | None:
    """Decode the output of `build_record_program`: None, or why the record was not written.

    Raises WireError if the answer is truncated or has another form.
    """
    for line in unframe(stdout, _ANSWER):
        word, _, rest = line.partition(" ")
        code, _, detail = rest.partition(" ")
        if word == "written":
            return None
        if word == "problem":
            said = decode_text(detail).decode(errors="replace")
            return Problem(code=read_code(code), message=f"the record was not written: {said}", hint="run it again")
    raise refuse("node-answer-unknown", "the node does not say whether the record was written")
