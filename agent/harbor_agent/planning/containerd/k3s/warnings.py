"""Warnings about a node with k3s or RKE2: they stop nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.planning.containerd.k3s.settings import build_folder
from harbor_agent.planning.network.proxy import ProxySettings
from harbor_agent.planning.network.reachability import find_reachability_problems
from harbor_agent.planning.runtime import find_unrequested_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.k3s.effective import Effective


def find_warnings(state: NodeState, effective: Effective, desired: DesiredState, name: str) -> Iterator[Problem]:
    """Yield the warnings about the files before any change."""
    yield from find_unrequested_entries(state.records.get(name), desired)
    yield from find_reachability_problems(desired.present, state.reachability, ProxySettings())
    path = effective.settings.registries
    for key, line in effective.file.unknown if effective.file else ():
        message = f"{path} line {line}: {name} ignores '{key}'; it reads 'mirrors' and 'configs'"
        yield Problem(code="dead-key", message=message, hint="correct the key or remove it")
    other = f"{build_folder(name)}/registries.yml"
    if other != path and other in state.files and state.files[other].exists:
        message = f"{name} does not read {other}: it reads {path}"
        yield Problem(code="dead-key", message=message, hint="move its settings into that file, and delete it")
    for address in desired.secure:
        named = [one.entry for one in desired.absent]
        if address.entry not in named and effective.is_trusted(address):
            message = f"{name} pulls from {address.entry} over plain HTTP, so no certificate is verified"
            hint = f"to have the certificate verified, remove it: --absent --registry {address.entry}"
            yield Problem(code="certificate-unverified", message=message, hint=hint)
