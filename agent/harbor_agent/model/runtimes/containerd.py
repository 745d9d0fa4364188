"""What was observed of a node's containerd."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.daemon import RunningContainer, UnitState

NAME = "containerd"
K3S = "k3s"
RKE2 = "rke2"
DEFAULT_SOCKET = "/run/containerd/containerd.sock"
DEFAULT_CONFIG = "/etc/containerd/config.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerdState:
    """The containerd of a node whose socket kubelet uses or, without a kubelet, the only one that runs.

    `argv` is that of the running process (None: not running), `socket` the address on which it listens, and
    `config_file` the file that it reads, whether it exists or not. `version` is "" if unknown. `kill_mode` is that of
    its unit, such as "process".

    `dump` is what the program itself prints of the files on disk (`containerd config dump`): TOML, imports merged,
    migrated to the newest version that it knows; None if it failed, and then `dump_error` has its words.
    `cri_loaded` says whether the running process has its CRI plugin (None: it did not answer), `cri_error` why not.
    `live_config_path` is the config_path that a running containerd 1.x reports (None: not reported, as by 2.x).
    `proofs` maps an entry to the scheme, "http" or "https", by which the runtime last tried to reach the registry, as
    its answer to the free proof shows; an entry whose answer shows neither is not in it.
    `containers` is None if they were not listed. `changed_files` are the files that changed after the process started,
    by their ctime (None: not known).

    All of `dump` and the files may hold passwords (`registry.configs.*.auth`): never print them unmasked.
    """

    unit: UnitState
    version: str = ""
    argv: tuple[str, ...] | None = None
    socket: str = DEFAULT_SOCKET
    config_file: str = DEFAULT_CONFIG
    kill_mode: str = ""
    dump: bytes | None = field(default=None, repr=False)
    dump_error: str = ""
    cri_loaded: bool | None = None
    cri_error: str = ""
    live_config_path: str | None = None
    proofs: Mapping[str, str] = field(default_factory=dict)
    containers: tuple[RunningContainer, ...] | None = ()
    changed_files: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class K3sState:
    """The k3s or RKE2 of a node, which starts a containerd of its own and writes the configuration of it.

    `name` says which of the two, `version` is its own, as 1.31.1. `unit` is that of the server or of the agent, `argv`
    that of its process, as far as it does not hide it (None: not running). `containerd` is the one that it starts: its
    `config_file` is the one that was generated at the last start. `changed_files` are the files that changed after the
    process of the unit started, by their ctime (None: not known).
    """

    name: str
    version: str = ""
    unit: UnitState
    argv: tuple[str, ...] | None = None
    containerd: ContainerdState
    changed_files: tuple[str, ...] | None = None
