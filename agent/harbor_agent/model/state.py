"""Facts that were observed on a node; planning decides what they mean."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.errors import Problem
    from harbor_agent.model.kubelet import Kubelet
    from harbor_agent.model.runtimes.containerd import ContainerdState, K3sState
    from harbor_agent.model.runtimes.containers_image import ContainersImageState
    from harbor_agent.model.runtimes.docker import DockerState

# In bytes, as in node/programs/probe.sh.
LARGEST_READ = 1 << 20


class FileKind(StrEnum):
    """The kind of file at a path. TOO_LARGE is a regular file of more than `LARGEST_READ` bytes."""

    ABSENT = "absent"
    REGULAR = "regular"
    SYMLINK = "symlink"
    DIRECTORY = "directory"
    OTHER = "other"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too-large"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """One path of a node, present or absent.

    `content` is set for REGULAR, and for a SYMLINK to a readable regular file: what a reader of the path would see.
    `mode` is the permission bits, such as 0o644. `link_target` is the text of a symlink.
    """

    path: str
    kind: FileKind = FileKind.ABSENT
    content: bytes | None = field(default=None, repr=False)
    mode: int = 0
    uid: int = 0
    gid: int = 0
    link_target: str | None = None

    @property
    def exists(self) -> bool:
        """Whether anything is at the path."""
        return self.kind is not FileKind.ABSENT

    @property
    def digest(self) -> str:
        """The SHA-256 (hex) of the content, or "absent" if there is no file."""
        return hashlib.sha256(self.content or b"").hexdigest() if self.exists else "absent"

    @property
    def fingerprint(self) -> str:
        """Return "KIND MODE UID GID SHA256" of a regular file (mode in octal), "KIND - - - -" of anything else.

        files.sh computes the same on a node.
        """
        if self.kind is not FileKind.REGULAR:
            return f"{self.kind} - - - -"
        return f"{self.kind} {self.mode:o} {self.uid} {self.gid} {hashlib.sha256(self.content or b'').hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The machine itself. `init` is "systemd" or the name of process 1, "" if unknown.

    `trust_stores` are the layouts of its trust store for certificates: "debian", "redhat", several, or none.
    """

    init: str = ""
    systemd_version: str = ""
    boot_id: str = ""
    privileged: bool = False
    trust_stores: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierSetting:
    """A setting about all registries in a file as it was before this tool changed it, such as containerd's config_path.

    `value` is None if the file did not have it. `names` are those in the directory that the setting names since, which
    was not read before.
    """

    value: str | None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What this tool last applied on the node, read from /var/lib/harbor-agent (see docs/explanation/architecture.md).

    `entries` are the registries that this tool added (and may remove again), `created_files` the files
    that were absent before it. `file_hashes` maps each file to its SHA-256 (hex), or to "absent"; `argv` is what
    the daemon runs with, empty if that was not known. `expected_entries` are in effect, `unexpected_entries` are not.
    `original_hashes` are those of the files before this tool changed them, as far as it noted them. `earlier_settings`
    maps files to the setting about all registries that this tool changed in them; it is restored with the last of the
    registries. Of a file with logins for kubelet it is the mode, in octal.
    `approved_run` is the run in which a person last asked for this policy; a correction keeps it.
    """

    run_id: str = ""
    approved_run: str = ""
    note: str = ""
    tool: str = ""
    policy_digest: str = ""
    entries: tuple[str, ...] = ()
    created_files: tuple[str, ...] = ()
    file_hashes: Mapping[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] = ()
    expected_entries: tuple[str, ...] = ()
    unexpected_entries: tuple[str, ...] = ()
    original_hashes: Mapping[str, str] = field(default_factory=dict)
    earlier_settings: Mapping[str, EarlierSetting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachability:
    """One registry as the node reaches it.

    `http_status` is that of GET /v2/: 0 for no answer, None if it was not tried. `resolved` are the addresses of the
    name; None if the host is an address, or if the node has no tool to resolve it. Of a name that the request gives an
    address on nodes it is that address, and the registry was tried there.
    """

    entry: str
    resolved: tuple[str, ...] | None = None
    http_status: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameService:
    """What decides whether /etc/hosts may be changed and is read.

    `is_mount` says that something is mounted at /etc/hosts. `nsswitch` is the `hosts:` line of nsswitch.conf without
    its first word, "" if there is none. `cloud_init` are the lines of cloud-init's configuration that set
    manage_etc_hosts, in the order in which they are read, each with its path. `resolved` is what the names of the
    request resolve to today; a name that the node could not look up is missing.
    """

    is_mount: bool = False
    nsswitch: str = ""
    cloud_init: tuple[tuple[str, str], ...] = ()
    resolved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledRuntime:
    """A container runtime of which only the program was found: this tool does not configure it."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """Everything the planner needs, gathered in one round trip.

    `runtimes` are the container runtimes of the node, `records` what this tool last applied to each, by its name.
    `files` has every path that was read, also absent ones: unit fragments and drop-ins in all of systemd's
    directories, environment files, configuration files. `unreadable` names what could not be read and why, `volatile`
    the directories that a reboot empties, each with its kind of file system.
    `kubelet` is the one that runs, if there is one. `pending_transaction` is the ID of one that has not ended.
    `chosen_runtime` is the name of the runtime that the operator chose, "" if the one that kubelet uses counts.
    `offline` is true for a file system tree without a running system (`--root`). `name_service` is None unless the
    request or a record is about /etc/hosts.
    """

    system: System
    runtimes: tuple[DockerState | ContainerdState | K3sState | ContainersImageState | InstalledRuntime, ...] = ()
    files: Mapping[str, FileState] = field(default_factory=dict)
    records: Mapping[str, Record] = field(default_factory=dict)
    kubelet: Kubelet | None = None
    pending_transaction: str | None = None
    reachability: tuple[Reachability, ...] = ()
    name_service: NameService | None = None
    unreadable: tuple[Problem, ...] = ()
    volatile: Mapping[str, str] = field(default_factory=dict)
    chosen_runtime: str = ""
    offline: bool = False
