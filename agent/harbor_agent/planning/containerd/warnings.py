"""Warnings about a node with containerd: they stop nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.state import FileState
from harbor_agent.planning.containerd.hosts import DEFAULT, HOSTS_FILE, find_directory, is_trusted, list_directory_names
from harbor_agent.planning.containerd.process import find_latent_edits, find_stopped_daemon, find_unloaded_cri
from harbor_agent.planning.containerd.state import find_containerd, find_record
from harbor_agent.planning.files.managed import find_announced_owner
from harbor_agent.planning.runtime import find_unrequested_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.effective import Effective

_READ_THEM = (
    "'systemctl daemon-reload' loads them and restarts nothing; a change that restarts containerd does so first"
)
_CHECK_EDIT = "find out who changed it, and check that containerd starts with it: the next restart applies it"


def find_warnings(state: NodeState, effective: Effective, desired: DesiredState) -> list[Problem]:
    """Return the warnings about files and daemon before any change."""
    return [
        *find_unrequested_entries(find_record(state), desired),
        *_find_shadowed(state, effective, desired),
        *_find_unverified(state, effective, desired),
        *_find_generated_config(effective),
        *_compare_with_daemon(state, effective),
    ]


def _find_shadowed(state: NodeState, effective: Effective, desired: DesiredState) -> Iterator[Problem]:
    """Yield the hosts.toml of a registry that is not read, because another directory wins."""
    for address in desired.present if effective.roots else ():
        winner = find_directory(state, effective, address)
        own = [
            f"{root}/{name}"
            for root in effective.roots
            for name in list_directory_names(effective, address)
            if name != DEFAULT
        ]
        for path in own:
            file = state.files.get(f"{path}/{HOSTS_FILE}") or FileState(path=path)
            if winner.exists and path != winner.path and file.exists:
                yield Problem(
                    code="directory-shadowed",
                    message=f"{path}/{HOSTS_FILE} is not read: containerd takes {winner.path} for {address.entry}",
                    hint="delete the directory that is not read",
                )


def _find_unverified(state: NodeState, effective: Effective, desired: DesiredState) -> Iterator[Problem]:
    """Yield the registries over HTTPS that containerd pulls from over plain HTTP first."""
    for address in desired.secure:
        if address.entry not in (one.entry for one in desired.absent) and is_trusted(state, effective, address):
            yield Problem(
                code="certificate-unverified",
                message=f"containerd pulls from {address.entry} over plain HTTP, so no certificate is verified",
                hint=f"to have the certificate verified, remove it: --absent --registry {address.entry}",
            )


def _find_generated_config(effective: Effective) -> Iterator[Problem]:
    """Yield a warning for a configuration that a program writes, which may write the directories of registries too."""
    for file in effective.files:
        if owner := find_announced_owner(file.toml.encode(file.toml.text)):
            yield Problem(
                code="file-may-be-managed",
                message=f"{file.path} says '{owner}'",
                hint="if a program writes the file, set the registry there too; its next run may undo this otherwise",
            )


def _compare_with_daemon(state: NodeState, effective: Effective) -> Iterator[Problem]:
    containerd = find_containerd(state)
    if containerd is None or state.offline:
        return
    if stopped := find_stopped_daemon(state):
        yield stopped
    if containerd.unit.need_daemon_reload:
        message = f"systemd has not loaded the current files of {containerd.unit.name}"
        yield Problem(code="daemon-reload-pending", message=message, hint=_READ_THEM)
    for edit in find_latent_edits(state, effective):
        yield Problem(code="latent-edit", message=f"{edit}: the running containerd has not read it", hint=_CHECK_EDIT)
    if unloaded := find_unloaded_cri(state):
        yield unloaded
