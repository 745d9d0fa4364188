"""Which tables of registries.conf count after all drop-ins, and whether a registry is trusted over plain HTTP."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harbor_agent.formats.registries_conf.document import parse_registries
from harbor_agent.formats.text import FormatError
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.model.runtimes.containers_image import CRIO
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.planning.containers_image.state import (
    CRIO_FILE,
    CRIO_FOLDER,
    can_watch,
    find_runtime_state,
    find_sources,
    is_recent,
    list_drop_ins,
    reads_own_list,
)
from harbor_agent.planning.files.workspace import read_content
from harbor_agent.planning.refusal import RefusedError, refuse_file
from harbor_agent.planning.runtime import InEffect, normalize_range, parse_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harbor_agent.formats.registries_conf.document import RegistriesFile, RegistryTable
    from harbor_agent.model.address import Address
    from harbor_agent.model.runtimes.containers_image import ContainersImageState
    from harbor_agent.model.state import NodeState, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A table that counts, and the file in which it is."""

    path: str
    table: RegistryTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """The tables that count by their prefixes, and everything else that the files set.

    `files` are the parsed files in the order in which they are read, `folder` the place of a new drop-in. `own_list`
    are the `insecure_registries` of crio.conf if this CRI-O reads them; `watches_folder` says whether CRI-O watches its
    folder of drop-ins.
    """

    main: str
    folder: str
    files: Mapping[str, RegistriesFile]
    tables: Mapping[str, Located]
    settings: Mapping[str, Any]
    own_list: tuple[str, ...] = ()
    watches_folder: bool = False

    @property
    def is_v1(self) -> bool:
        """Whether the main file is of version 1."""
        return self.main in self.files and self.files[self.main].is_v1


def evaluate(state: NodeState, name: str) -> Effective:
    """Evaluate all files that the runtime reads. Raises RefusedError for one with which nothing is pulled."""
    runtime = find_runtime_state(state, name)
    if runtime is None:
        raise LookupError(f"the node has no {name}")
    sources = find_sources(state, name)
    drop_ins = [path for folder in sources.folders for path in list_drop_ins(state, folder)]
    files: dict[str, RegistriesFile] = {}
    tables: dict[str, Located] = {}
    settings: dict[str, Any] = {"aliases": {}}
    for path in (sources.main, *drop_ins):
        content = _read(state, path, is_main=path == sources.main)
        if content is None:
            continue
        try:
            file = parse_registries(content, is_main=path == sources.main, is_recent=is_recent(runtime))
        except FormatError as error:
            # rule RC-11
            raise refuse_file(path, error) from None
        files[path] = file
        # rule RC-01
        tables |= {table.prefix: Located(path=path, table=table) for table in file.tables}
        aliases = {**settings["aliases"], **file.settings.get("aliases", {})}
        settings |= {**file.settings, "aliases": aliases}
    own_list, watches_folder = _read_crio(state, runtime)
    return Effective(
        main=sources.main,
        folder=sources.folders[0],
        files=files,
        tables=tables,
        settings=settings,
        own_list=own_list,
        watches_folder=watches_folder,
    )


def summarize(effective: Effective, record: Record | None = None) -> InEffect:
    """Return what a change of the files is judged by: the insecure registries, and all other settings.

    The entries of the record are among the registries also if a table about others too trusts them.
    """
    tables = [located.table for located in effective.tables.values()]
    entries = [table.prefix for table in tables if table.insecure and not table.blocked]
    entries += [one for one in list_recorded(record) if one not in entries and is_trusted_by_table(effective, one)]
    others = sorted(
        (table.prefix, table.location, table.blocked, json.dumps(table.others))
        for table in tables
        if table.blocked or not table.is_plain
    )
    foreign = (tuple(others), json.dumps(effective.settings, sort_keys=True, default=str), effective.own_list)
    return InEffect(entries=(*entries, *map(normalize_range, effective.own_list)), foreign=foreign)


def list_recorded(record: Record | None) -> tuple[str, ...]:
    """Return the registries that a record names."""
    return (*record.expected_entries, *record.unexpected_entries) if record else ()


def find_table(effective: Effective, reference: str) -> Located | None:
    """Return the table of the longest prefix that covers an image or a registry."""
    prefix = find_prefix(effective.tables, reference)
    return None if prefix is None else effective.tables[prefix]


def find_prefix(prefixes: Iterable[str], reference: str) -> str | None:
    """Return the longest prefix that covers an image or a registry, the first one of those of one length."""
    # rule RC-04, RC-05
    found = sorted(prefix for prefix in prefixes if _covers(prefix, reference))
    return max(found, key=len, default=None)


def find_longer_tables(effective: Effective, entry: str) -> list[Located]:
    """Return the tables for parts of a registry, such as one project."""
    return [located for located in effective.tables.values() if located.table.prefix.startswith(f"{entry}/")]


def is_trusted(effective: Effective, address: Address) -> bool:
    """Whether images of the registry are pulled from it over plain HTTP, those of each of its parts too."""
    if _is_in_own_list(effective, address):
        return True
    if not is_trusted_by_table(effective, address.entry):
        return False
    # rule RC-09
    longer = [located.table for located in find_longer_tables(effective, address.entry)]
    return all(table.insecure or table.blocked or not table.is_plain for table in longer)


def is_trusted_by_table(effective: Effective, entry: str) -> bool:
    """Whether the table that counts for a registry trusts it."""
    located = find_table(effective, entry)
    # rule RC-08
    return located is not None and located.table.insecure and not located.table.blocked and not located.table.redirects


def _covers(prefix: str, reference: str) -> bool:
    """Whether a prefix covers a reference, as refMatchingPrefix of containers/image decides it."""
    if prefix.startswith("*."):
        # rule RC-07
        at = reference.find(prefix[1:])
        if at < 0 or "/" in reference[:at]:
            return False
        rest = reference[at + len(prefix) - 1 :]
    elif reference.startswith(prefix):
        rest = reference[len(prefix) :]
    else:
        return False
    # rule RC-06
    return not rest or rest[0] in ":/@"


def _is_in_own_list(effective: Effective, address: Address) -> bool:
    for entry in effective.own_list:
        network = parse_range(entry)
        if entry == address.entry:
            return True
        if network is not None and address.is_ip and ipaddress.ip_address(address.host) in network:
            return True
    return False


def _read(state: NodeState, path: str, *, is_main: bool) -> bytes | None:
    """Return the content of a file; a folder that is named like a drop-in does not count."""
    file = state.files.get(path) or FileState(path=path)
    if not is_main and file.kind is FileKind.DIRECTORY:
        return None
    return read_content(file)


def _read_crio(state: NodeState, runtime: ContainersImageState) -> tuple[tuple[str, ...], bool]:
    """Return `insecure_registries` of crio.conf if they count, and whether CRI-O watches its folder of drop-ins."""
    own_list: tuple[str, ...] = ()
    is_watching = False
    if runtime.name != CRIO:
        return own_list, is_watching
    for path in (CRIO_FILE, *sorted(path for path in state.files if path.startswith(f"{CRIO_FOLDER}/"))):
        content = _read(state, path, is_main=path == CRIO_FILE)
        if content is None:
            continue
        try:
            crio = parse_toml(content).values.get("crio", {})
        except FormatError as error:
            raise refuse_file(path, error) from None
        image = crio.get("image", {}) if isinstance(crio, dict) else {}
        if not isinstance(image, dict):
            raise RefusedError("file-invalid", f"{path}: 'crio.image' is not a table", "fix the file by hand")
        if isinstance(image.get("insecure_registries"), list):
            own_list = tuple(map(str, image["insecure_registries"]))
        is_watching = bool(image.get("auto_reload_registries", is_watching))
    return own_list if reads_own_list(runtime) else (), is_watching and can_watch(runtime)
