"""The probe: its program, and its document as a `NodeState`."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.program import Program
from harbor_agent.model.state import FileKind, FileState, InstalledRuntime, NodeState, Reachability, System
from harbor_agent.node.wire.framing import (
    WireError,
    compose,
    parse_number,
    read_block,
    read_code,
    read_path,
    read_word,
    refuse,
    unframe,
)
from harbor_agent.node.wire.kubelet import decode_kubelet
from harbor_agent.node.wire.names import decode_name_service, parse_addresses
from harbor_agent.node.wire.record import decode_record
from harbor_agent.node.wire.runtimes import RUNTIMES
from harbor_agent.resources import read_node_program

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEMA = "harbor-agent/probe/1"
READ_LOGINS = "+logins"
_UNREADABLE = {
    "file-unreadable": "cannot read {}: permission denied",
    "directory-unreadable": "cannot read the directory {}: permission denied",
    "process-unreadable": "cannot read {}: permission denied; whether pulls go through a proxy is not known",
    "file-too-large": "{} is larger than 1 MiB and was not read",
}
_UNREAD_KINDS = {"file-unreadable": FileKind.UNREADABLE, "file-too-large": FileKind.TOO_LARGE}


def build_probe_program(entries: Sequence[str]) -> Program:
    """Build the program that reads the state of a node and tries to reach the registries `entries`.

    A registry that is given as "=ENTRY" is not tried; only the files about it are read. "@NAME=ADDRESS" is a name for
    /etc/hosts: registries of this name are tried at the address.
    `READ_LOGINS` asks for the files in which kubelet has logins.
    It also runs without root; `NodeState.unreadable` then says what it could not read.
    """
    shared = [read_node_program(name) for name in ("reachability.sh", "names/probe.sh", "kubelet.sh")]
    parts = [read_node_program(part) for runtime in RUNTIMES.values() for part in runtime.probe]
    # a function's name has no hyphen
    names = f"RUNTIMES='{' '.join(RUNTIMES).replace('-', '')}'\n"
    program = compose([*shared, *parts, names, read_node_program("probe.sh")], {})
    return Program(stdin=program, arguments=tuple(entries), privileged=True)


def decode_probe(stdout: bytes) -> NodeState:
    """Decode the output of `build_probe_program`. Raises WireError if it is truncated or has another form."""
    document = _Document()
    lines = unframe(stdout, _SCHEMA)
    for line in lines:
        keyword, _, rest = line.partition(" ")
        if keyword == "block":
            document.add_block(rest, read_block(lines))
        else:
            _read_line(document, keyword, rest)
    return document.build_state()


@dataclass(slots=True)
class _Document:
    """The lines and blocks read so far."""

    words: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, FileState] = field(default_factory=dict)
    last_file: str = ""
    changed: dict[str, int] = field(default_factory=dict)
    volatile: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    installed: list[str] = field(default_factory=list)
    sockets: dict[str, str] = field(default_factory=dict)
    reachability: list[Reachability] = field(default_factory=list)
    resolved: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unreadable: list[Problem] = field(default_factory=list)

    def add_block(self, name: str, value: bytes) -> None:
        if name in ("content", "link"):
            state = self.files.get(self.last_file)
            if state is None:
                raise refuse("node-answer-unknown", "the node's answer has content that belongs to no file")
            if name == "link":
                target = value.decode("utf-8", "surrogateescape").removesuffix("\n")
                self.files[self.last_file] = replace(state, link_target=target)
            else:
                self.files[self.last_file] = replace(state, content=value)
        else:
            self.blocks[name] = value

    def select_blocks(self, owner: str) -> dict[str, bytes]:
        """Return the blocks of a runtime, or the records, by the second word of their names."""
        return {name.partition(" ")[2]: value for name, value in self.blocks.items() if name.startswith(f"{owner} ")}

    def build_state(self) -> NodeState:
        problems = list(self.unreadable)
        runtimes = []
        for name, unit in self.units.items():
            runtime, unknown = RUNTIMES[name].decode(unit, self.select_blocks(name), self.changed)
            runtimes.append(runtime)
            problems += unknown
        records = {}
        for name, content in self.select_blocks("record").items():
            try:
                records[name] = decode_record(content, name)
            except WireError as error:
                problems.append(error.problem)
        return NodeState(
            system=_build_system(self),
            runtimes=(*runtimes, *(InstalledRuntime(name=name) for name in self.installed)),
            files=self.files,
            records=records,
            kubelet=decode_kubelet(self.select_blocks("kubelet"), self.sockets),
            pending_transaction=self.words.get("pending"),
            reachability=tuple(self.reachability),
            name_service=decode_name_service(self.select_blocks("names"), self.resolved),
            unreadable=tuple(problems),
            volatile=self.volatile,
        )


def _read_line(document: _Document, keyword: str, rest: str) -> None:
    match keyword:
        case "privileged" | "init" | "systemd" | "boot" | "trust-stores" | "pending":
            document.words[keyword] = rest
        case "file":
            _read_file(document, rest)
        case "changed" | "volatile" | "resolved":
            _read_fact(document, keyword, rest)
        case "absent":
            document.files[read_path(rest)] = FileState(path=rest)
        case "unreadable":
            _read_unreadable(document, rest)
        case "runtime":
            _read_runtime(document, rest)
        case "installed":
            document.installed.append(rest)
        case "socket":
            identity, _, path = rest.partition(" ")
            document.sockets[path] = identity
        case "reach":
            _read_reach(document, rest)
        case _:
            raise refuse("node-answer-unknown", f"the node's answer has the unknown line {keyword[:80]!r}")


def _read_fact(document: _Document, keyword: str, rest: str) -> None:
    first, _, second = rest.partition(" ")
    if keyword == "changed":
        document.changed[document.last_file] = parse_number(rest)
    elif keyword == "volatile":
        document.volatile[read_path(second)] = first
    else:
        document.resolved[first] = parse_addresses(second) or ()


def _read_runtime(document: _Document, rest: str) -> None:
    name, _, unit = rest.partition(" ")
    if name not in RUNTIMES:
        raise refuse("node-answer-unknown", f"the node's answer has the unknown runtime {name[:80]!r}")
    document.units[name] = read_word(unit, "a unit")


def _read_file(document: _Document, rest: str) -> None:
    try:
        mode_text, uid, gid, path = rest.split(" ", 3)
    except ValueError:
        raise refuse("node-answer-unknown", f"the node's answer has the unknown file line {rest[:80]!r}") from None
    mode, path = parse_number(mode_text, 16), read_path(path)
    document.files[path] = FileState(
        path=path, kind=_find_kind(mode), mode=stat.S_IMODE(mode), uid=parse_number(uid), gid=parse_number(gid)
    )
    document.last_file = path


def _find_kind(mode: int) -> FileKind:
    if stat.S_ISREG(mode):
        return FileKind.REGULAR
    if stat.S_ISLNK(mode):
        return FileKind.SYMLINK
    return FileKind.DIRECTORY if stat.S_ISDIR(mode) else FileKind.OTHER


def _read_unreadable(document: _Document, rest: str) -> None:
    code, _, path = rest.partition(" ")
    read_code(code)
    message = _UNREADABLE.get(code, "{} was not read").format(path)
    document.unreadable.append(Problem(code=code, message=message))
    known = document.files.get(path, FileState(path=path))
    kind = _UNREAD_KINDS.get(code)
    if kind:
        document.files[path] = replace(known, kind=known.kind if known.kind is FileKind.SYMLINK else kind)


def _read_reach(document: _Document, rest: str) -> None:
    entry, resolved, status, detail = (*rest.split(" ", 3), "", "", "")[:4]
    http_status = None if status == "-" else parse_number(status)
    document.reachability.append(
        Reachability(entry=entry, resolved=parse_addresses(resolved), http_status=http_status, detail=detail)
    )


def _build_system(document: _Document) -> System:
    return System(
        init=document.words.get("init", ""),
        systemd_version=document.words.get("systemd", ""),
        boot_id=document.words.get("boot", ""),
        privileged=document.words.get("privileged") == "yes",
        trust_stores=tuple(document.words.get("trust-stores", "").split()),
    )
