"""What containerd trusts after the next start of k3s or RKE2, and before it: registries.yaml, and hosts.toml."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.formats.registries_yaml.document import RegistriesFile
from harbor_agent.formats.text import FormatError
from harbor_agent.planning.containerd import effective as containerd
from harbor_agent.planning.containerd.hosts import ANY_MIRROR, parse_entry, reaches_plainly
from harbor_agent.planning.containerd.hosts import is_trusted as is_trusted_by_containerd
from harbor_agent.planning.containerd.k3s.settings import read_settings, require_k3s
from harbor_agent.planning.files.workspace import read_content
from harbor_agent.planning.refusal import RefusedError, refuse_file
from harbor_agent.planning.runtime import InEffect

if TYPE_CHECKING:
    from harbor_agent.formats.registries_yaml.document import Mirror
    from harbor_agent.model.address import Address
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.k3s.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """The files of a node with k3s or RKE2.

    `file` is registries.yaml, None if there is none. `written` is what the containerd of the last start reads: None if
    its configuration is not there, or broken.
    """

    settings: Settings
    file: RegistriesFile | None
    written: containerd.Effective | None

    @property
    def generated(self) -> containerd.Effective | None:
        """What containerd reads, None if that does not send it to a directory of registries."""
        found = self.written
        return found if found and found.registry.get("config_path") and found.roots else None

    def find_mirror(self, address: Address) -> Mirror | None:
        """Return the mirror that counts for a registry: its own, or that for all."""
        mirrors = self.file.mirrors if self.file else {}
        return mirrors.get(address.entry, mirrors.get(ANY_MIRROR))  # rule KR-01

    def names(self, address: Address) -> bool:
        """Whether registries.yaml has anything about the registry itself."""
        return self.file is not None and address.entry in (*self.file.mirrors, *self.file.configs)

    def is_trusted(self, address: Address) -> bool:
        """Whether containerd pulls from the registry over plain HTTP after the next start."""
        mirror = self.find_mirror(address)
        return mirror is not None and any(reaches_plainly(url, address) for url in mirror.urls)


def evaluate(state: NodeState, name: str) -> Effective:
    """Evaluate the node's files. Raises RefusedError for files with which k3s or RKE2 does not start."""
    settings = read_settings(state, require_k3s(state, name))
    path = settings.registries
    content = read_content(state.files[path]) if path in state.files else None
    try:
        file = None if content is None else RegistriesFile(content)
    except FormatError as error:
        raise refuse_file(path, error) from None
    return Effective(settings=settings, file=file, written=_evaluate_written(state, name))


def view_containerd(state: NodeState, name: str) -> NodeState:
    """Return the node as one with the containerd that k3s or RKE2 starts."""
    return replace(state, runtimes=(require_k3s(state, name).containerd,))


def is_written(state: NodeState, name: str, effective: Effective, address: Address) -> bool:
    """Whether the files of the last start send containerd to the registry over plain HTTP."""
    found = effective.written
    return found is not None and is_trusted_by_containerd(view_containerd(state, name), found, address)


def summarize(effective: Effective) -> InEffect:
    """Return the registries that are trusted after the next start; what else the file sets an edit compares itself."""
    found = [parse_entry(key) for key in (effective.file.mirrors if effective.file else ())]
    return InEffect(entries=tuple(one.entry for one in found if one and effective.is_trusted(one)), foreign=())


def _evaluate_written(state: NodeState, name: str) -> containerd.Effective | None:
    view = view_containerd(state, name)
    try:
        found = containerd.evaluate(view)
    except RefusedError:
        return None  # the next start writes it again
    return found if found.files else None
