"""probe.sh: the program, and its document as a `NodeState`."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.daemon import RunningContainer, UnitState
from harbor_agent.model.program import Program
from harbor_agent.model.runtimes.docker import NAME, DockerState, LiveRegistryConfig
from harbor_agent.model.state import FileKind, FileState, InstalledRuntime, NodeState, Reachability, System
from harbor_agent.node.wire.framing import WireError, compose, number, refuse, take_block, unframe
from harbor_agent.node.wire.record import decode_record
from harbor_agent.resources import read_node_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SCHEMA = "harbor-agent/probe/1"
_PARTS = ("reachability.sh", "probe.sh")
_VERSION = re.compile(r"version ([^\s,]+)")
_UNREADABLE = {
    "file-unreadable": "{} cannot be read without more rights",
    "directory-unreadable": "the directory {} cannot be read without more rights",
    "process-unreadable": "{} cannot be read without more rights: whether pulls go through a proxy is not known",
    "docker-silent": "dockerd did not say which {} run",
    "file-too-large": "{} is larger than 1 MiB and was not read",
}
_UNREAD_KINDS = {"file-unreadable": FileKind.UNREADABLE, "file-too-large": FileKind.TOO_LARGE}


def probe_program(entries: Sequence[str]) -> Program:
    """Build the read-only look at a node. `entries` are the registries whose reachability is wanted.

    Runs with fewer rights too; what could not be read is then in `NodeState.unreadable`.
    """
    texts = [read_node_program(part) for part in _PARTS]
    return Program(stdin=compose(texts, {}), arguments=tuple(entries), privileged=True)


def decode_probe(stdout: bytes) -> NodeState:
    """Read what `probe_program` printed. Raises WireError where it is truncated or something else."""
    document = _Document()
    lines = unframe(stdout, _SCHEMA)
    for line in lines:
        keyword, _, rest = line.partition(" ")
        if keyword == "block":
            document.take(rest, take_block(lines))
        else:
            _read_line(document, keyword, rest)
    return document.state()


@dataclass(slots=True)
class _Document:
    """What was read so far."""

    words: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, FileState] = field(default_factory=dict)
    last_file: str = ""
    runtimes: list[str] = field(default_factory=list)
    reachability: list[Reachability] = field(default_factory=list)
    unreadable: list[Problem] = field(default_factory=list)

    def take(self, name: str, value: bytes) -> None:
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

    def text(self, name: str) -> str:
        return self.blocks.get(name, b"").decode("utf-8", "replace")

    def lines(self, name: str) -> list[str]:
        return [line for line in self.text(name).split("\n") if line]

    def state(self) -> NodeState:
        record = self.blocks.get("record")
        problems = list(self.unreadable)
        docker = _docker(self) if "docker" in self.words else None
        if silent := self.text("daemon-silent").strip():
            problems.append(Problem(code="docker-silent", message=f"dockerd did not answer: {silent}"))
        decoded = None
        if record is not None:
            try:
                decoded = decode_record(record)
            except WireError as error:
                problems.append(error.problem)
        return NodeState(
            system=_system(self),
            runtimes=(*([docker] if docker else []), *(InstalledRuntime(name=name) for name in self.runtimes)),
            files=self.files,
            records={NAME: decoded} if decoded else {},
            pending_transaction=self.words.get("pending"),
            reachability=tuple(self.reachability),
            unreadable=tuple(problems),
        )


def _read_line(document: _Document, keyword: str, rest: str) -> None:
    match keyword:
        case "privileged" | "init" | "systemd" | "boot" | "docker" | "pending":
            document.words[keyword] = rest
        case "file":
            _read_file(document, rest)
        case "absent":
            document.files[rest] = FileState(path=rest)
        case "unreadable":
            _read_unreadable(document, rest)
        case "runtime":
            document.runtimes.append(rest)
        case "reach":
            _read_reach(document, rest)
        case _:
            raise refuse("node-answer-unknown", f"the node's answer has the unknown line {keyword[:80]!r}")


def _read_file(document: _Document, rest: str) -> None:
    try:
        mode_text, uid, gid, path = rest.split(" ", 3)
    except ValueError:
        raise refuse("node-answer-unknown", f"the node's answer has the unknown file line {rest[:80]!r}") from None
    mode = number(mode_text, 16)
    document.files[path] = FileState(
        path=path, kind=_kind(mode), mode=stat.S_IMODE(mode), uid=number(uid), gid=number(gid)
    )
    document.last_file = path


def _kind(mode: int) -> FileKind:
    if stat.S_ISREG(mode):
        return FileKind.REGULAR
    if stat.S_ISLNK(mode):
        return FileKind.SYMLINK
    return FileKind.DIRECTORY if stat.S_ISDIR(mode) else FileKind.OTHER


def _read_unreadable(document: _Document, rest: str) -> None:
    code, _, path = rest.partition(" ")
    message = _UNREADABLE.get(code, "{} was not read").format(path)
    document.unreadable.append(Problem(code=code, message=message))
    known = document.files.get(path, FileState(path=path))
    kind = _UNREAD_KINDS.get(code)
    if kind:
        document.files[path] = replace(known, kind=known.kind if known.kind is FileKind.SYMLINK else kind)


def _read_reach(document: _Document, rest: str) -> None:
    entry, resolved, status, detail = (*rest.split(" ", 3), "", "", "")[:4]
    addresses = None if resolved == "-" else tuple(name for name in resolved.split(",") if name and name != "none")
    http_status = None if status == "-" else number(status)
    document.reachability.append(Reachability(entry=entry, resolved=addresses, http_status=http_status, detail=detail))


def _system(document: _Document) -> System:
    return System(
        init=document.words.get("init", ""),
        systemd_version=document.words.get("systemd", ""),
        boot_id=document.words.get("boot", ""),
        privileged=document.words.get("privileged") == "yes",
    )


def _docker(document: _Document) -> DockerState:
    facts = dict(line.split("=", 1) for line in document.lines("unit") if "=" in line)
    argv = document.blocks.get("argv")
    live, live_restore, version, swarm = _daemon(document)
    return DockerState(
        unit=UnitState(
            name=document.words["docker"],
            load_state=facts.get("LoadState", ""),
            active_state=facts.get("ActiveState", ""),
            unit_file_state=facts.get("UnitFileState", ""),
            fragment_path=facts.get("FragmentPath", ""),
            drop_in_paths=tuple(filter(None, facts.get("DropInPaths", "").split(" "))),
            need_daemon_reload=facts.get("NeedDaemonReload") == "yes",
        ),
        version=version,
        argv=tuple(argv.decode("utf-8", "surrogateescape").removesuffix("\0").split("\0")) if argv else None,
        environment=dict(line.split("=", 1) for line in document.lines("environment") if "=" in line),
        live=live,
        live_restore=live_restore,
        swarm=swarm,
        containers=tuple(_containers(document)) if "containers" in document.blocks else None,
    )


def _daemon(document: _Document) -> tuple[LiveRegistryConfig | None, bool | None, str, str]:
    """Return live configuration, live-restore, version and swarm; a daemon with an error of its own answers null."""
    lines = document.lines("daemon")
    if not lines:
        match = _VERSION.search(document.text("version"))
        return None, None, match[1] if match else "", ""
    try:
        registry, live_restore, version, swarm = (json.loads(line) for line in lines)
        if not version or not isinstance(registry, dict):
            return None, None, "", ""
        indexes: dict[str, dict[str, object]] = registry.get("IndexConfigs") or {}
        live = LiveRegistryConfig(
            insecure_cidrs=tuple(registry.get("InsecureRegistryCIDRs") or ()),
            insecure_entries=tuple(sorted(name for name, index in indexes.items() if not index.get("Secure"))),
            mirrors=tuple(registry.get("Mirrors") or ()),
        )
    except (ValueError, TypeError, AttributeError):
        raise refuse("node-answer-unknown", "dockerd describes itself in an unknown form") from None
    return live, bool(live_restore), str(version), str(swarm)


def _containers(document: _Document) -> Iterator[RunningContainer]:
    for line in document.lines("containers"):
        try:
            _, name, image, policy, pod = json.loads(line)
        except ValueError:
            raise refuse("node-answer-unknown", f"a container is described as {line[:80]!r}") from None
        name = name.removeprefix("/")
        yield RunningContainer(
            name=name,
            image=image,
            restart_policy=policy or "no",
            kubernetes=bool(pod) or name.startswith("k8s_"),
        )
