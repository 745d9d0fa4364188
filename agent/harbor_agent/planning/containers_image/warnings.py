"""Warnings about a node with CRI-O or podman: they stop nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.runtimes.containers_image import PODMAN
from harbor_agent.planning.containers_image.effective import find_table
from harbor_agent.planning.containers_image.state import ROOT_FILE, list_user_files
from harbor_agent.planning.network.proxy import ProxySettings
from harbor_agent.planning.network.reachability import find_reachability_problems
from harbor_agent.planning.runtime import find_unrequested_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containers_image.effective import Effective


def find_warnings(state: NodeState, effective: Effective, desired: DesiredState, name: str) -> Iterator[Problem]:
    """Yield the warnings about files and daemon before any change."""
    yield from find_unrequested_entries(state.records.get(name), desired)
    yield from find_reachability_problems(desired.present, state.reachability, ProxySettings())
    for address in desired.secure:
        located = find_table(effective, address.entry)
        named = [one.entry for one in desired.absent]
        if address.entry not in named and located and located.table.insecure:
            place = f"'{located.table.prefix}' is insecure in {located.path}"
            message = f"{name} accepts any certificate from {address.entry}: {place}"
            hint = f"to have the certificate verified, remove it: --absent --registry {located.table.prefix}"
            yield Problem(code="certificate-unverified", message=message, hint=hint)
    if name != PODMAN:
        return
    own = state.files.get(ROOT_FILE)
    if own and own.exists:
        message = f"root's podman reads {ROOT_FILE}, and none of the files of the system"
        hint = "the registry is set beside that file; every other user reads the files of the system or their own"
        yield Problem(code="podman-own-files", message=message, hint=hint)
    for path in list_user_files(state):
        message = f"podman reads {path} for that user instead of the files of the system"
        hint = "if that user pulls from the registry, set it in that file too"
        yield Problem(code="podman-own-files", message=message, hint=hint)


def find_still_covered(after: Effective, entries: list[str]) -> Iterator[Problem]:
    """Yield the registries that were removed and that another table still trusts."""
    for entry in entries:
        if located := find_table(after, entry):
            message = f"{entry} stays trusted through '{located.table.prefix}' in {located.path}"
            hint = "if no other registry needs it, remove that table by hand"
            yield Problem(code="still-covered", message=message, hint=hint)
