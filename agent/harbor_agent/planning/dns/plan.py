"""Plans the entries of one DNS server of the cluster: they go into the block that answers the names today.

A server block of its own would also take all names below, and inherit neither upstream, port, bind address nor cache.
It is right only in a ConfigMap that the owner of the Corefile imports, or if node-cache has no hosts plugin.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harbor_agent.errors import Problem
from harbor_agent.formats.corefile.imports import FOLDER
from harbor_agent.model.dns import (
    CUSTOM_FOLDER,
    CUSTOM_NAME,
    ConfigMapChange,
    ConfigMapState,
    DnsPlan,
    EntryForm,
    RecordedEntry,
    ServerKind,
)
from harbor_agent.planning.dns.checks import find_unclear, read_valid_corefile
from harbor_agent.planning.dns.owner import check_owner, describe_owner
from harbor_agent.planning.dns.placement import has_entry, is_answered, place_entry
from harbor_agent.planning.dns.record import drop_entry, read_record, write_record
from harbor_agent.planning.dns.removals import remove_block, remove_from_block
from harbor_agent.planning.dns.zones import find_answering_blocks
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harbor_agent.formats.corefile.document import Corefile
    from harbor_agent.model.dns import DnsEntry, DnsServer
    from harbor_agent.planning.dns.placement import Place

COREFILE: Final = "Corefile"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "harbor-agent"
METRICS_PORT: Final = 9153
_MOST_BLOCKS: Final = 20


def plan_dns(server: DnsServer, present: Iterable[DnsEntry], absent: Iterable[str] = ()) -> DnsPlan:
    """Plan so that the server answers `present`, and that entries of ours for the names `absent` are removed."""
    texts = _Texts(server)
    try:
        check_owner(server.config)
        texts.check_key()
        for name in absent:
            texts.remove(name)
        for entry in present:
            texts.add(entry)
    except RefusedError as refused:
        return DnsPlan(server=server, refusal=refused.problem)
    changes = texts.list_changes()
    return DnsPlan(server=server, changes=changes, warnings=_list_warnings(server, texts, changes))


def list_upstreams(server: DnsServer) -> tuple[str, ...] | None:
    """Return what CoreDNS forwards names outside the cluster to; None if its Corefile cannot be read."""
    try:
        blocks = [block for corefile in _read(server) for block in find_answering_blocks(corefile, "")]
    except RefusedError:
        return None
    return tuple(
        token.text for block in blocks for one in block.find("forward", "proxy") for token in one.arguments[1:]
    )


def has_reload(server: DnsServer) -> bool:
    """Whether the server reads a changed Corefile without a restart: one block with `reload` suffices for all."""
    return any(block.find("reload") for corefile in _read(server) for block in corefile.blocks)


def find_metrics_port(server: DnsServer) -> int:
    """Return the port of the server's metrics, from its directive `prometheus`."""
    for corefile in _read(server):
        for block in corefile.blocks:
            for one in block.find("prometheus"):
                port = one.arguments[0].text.rpartition(":")[2] if one.arguments else ""
                return int(port) if port.isdecimal() else METRICS_PORT
    return METRICS_PORT


def _read(server: DnsServer) -> list[Corefile]:
    texts = _Texts(server)
    return [texts.parse(key) for key in texts.corefiles()]


class _Texts:
    """The ConfigMaps of a server while they are edited."""

    def __init__(self, server: DnsServer) -> None:
        self.server = server
        self.config = server.config
        self.custom = server.custom or ConfigMapState(namespace=server.config.namespace, name=CUSTOM_NAME, data={})

    def check_key(self) -> None:
        if not self.corefiles():
            raise RefusedError(
                "corefile-invalid",
                f"ConfigMap {self.config.full_name} has no key {COREFILE}",
                "check which ConfigMap the DNS pods mount",
            )

    def corefiles(self) -> tuple[str, ...]:
        """Return the keys that are Corefiles: a second node-cache has one of its own."""
        return tuple(key for key in self.config.data if key == COREFILE or key.startswith(f"{COREFILE}-"))

    @property
    def files(self) -> Mapping[str, str]:
        own = {f"{FOLDER}/{key}": text for key, text in self.config.data.items()}
        return own | {f"{CUSTOM_FOLDER}/{key}": text for key, text in self.custom.data.items()}

    def parse(self, key: str) -> Corefile:
        label = f"ConfigMap {self.config.full_name} key {key}"
        return read_valid_corefile(self.config.data[key], self.files, label)

    def add(self, entry: DnsEntry) -> None:
        for record in (*read_record(self.config), *read_record(self.custom)):
            if record.entry.name == entry.name and record.entry.address != entry.address:
                self.remove(entry.name)
        self.drop_lost_records(entry)
        for key in self.corefiles():
            # Each edit moves the places of the next one; every round adds the entry to one block.
            if not any(self.add_once(key, entry) for _ in range(_MOST_BLOCKS)):
                raise RefusedError(
                    "corefile-unclear",
                    f"key {key} of ConfigMap {self.config.full_name} would not answer {entry.name} after the edit",
                    "add the entry by hand, and set resolve.cluster to false",
                )

    def drop_lost_records(self, entry: DnsEntry) -> None:
        """Drop the records of an entry that no text has any more: the owner has written its own again."""
        blocks = [block for key in self.corefiles() for block in self.parse(key).blocks]
        if any(has_entry(block, entry) for block in blocks):
            return
        for config in (self.config, self.custom):
            records = read_record(config)
            kept = [record for record in records if record.entry.name != entry.name]
            if len(kept) < len(records):
                self.keep(write_record(config, kept))

    def keep(self, config: ConfigMapState) -> None:
        if config.name == self.config.name:
            self.config = config
        else:
            self.custom = config

    def add_once(self, key: str, entry: DnsEntry) -> bool:
        """Add the entry as `add_to` does; a refusal names the text that its line is in."""
        try:
            return self.add_to(key, entry)
        except RefusedError as refused:
            problem = refused.problem
            if not problem.message.startswith("line "):
                raise
            message = f"key {key} of ConfigMap {self.config.full_name}, {problem.message}"
            raise RefusedError(problem.code, message, problem.hint) from None

    def add_to(self, key: str, entry: DnsEntry) -> bool:
        """Add the entry to the first block that lacks it; True if no block does."""
        corefile = self.parse(key)
        blocks = find_answering_blocks(corefile, entry.name)
        if not blocks:
            raise RefusedError(
                "corefile-unclear",
                f"no server block in key {key} of ConfigMap {self.config.full_name} answers {entry.name}",
                "add a block for the root zone '.', or set resolve.cluster to false",
            )
        for block in blocks:
            if why := find_unclear(corefile, block, (FOLDER, CUSTOM_FOLDER)):
                raise RefusedError("corefile-unclear", why, "add the entry by hand, and set resolve.cluster to false")
            if is_answered(self.server, block, entry, self.files, corefile):
                continue
            place, text, form = place_entry(self.server, self.texts_of(key), corefile, block, entry)
            self.write(key, place, text, RecordedEntry(entry=entry, key=place.key or key, form=form))
            return False
        return True

    def texts_of(self, key: str) -> Mapping[str, str]:
        """Return the texts by the file of a word, "" for the Corefile under `key`."""
        return {**self.files, "": self.config.data[key]}

    def write(self, key: str, place: Place, text: str, record: RecordedEntry) -> None:
        config = _set(self.custom if place.custom else self.config, place.key or key, text)
        self.keep(write_record(config, (*read_record(config), record)))

    def remove(self, name: str) -> None:
        for custom in (False, True):
            for record in read_record(self.custom if custom else self.config):
                if record.entry.name == name:
                    self.remove_recorded(record, custom=custom)

    def remove_recorded(self, record: RecordedEntry, *, custom: bool) -> None:
        config = self.custom if custom else self.config
        if record.key in config.data:
            config = _set(config, record.key, self.remove_text(record, custom=custom))
        self.keep(write_record(config, drop_entry(read_record(config), record)))

    def remove_text(self, record: RecordedEntry, *, custom: bool) -> str:
        """Return the text of a key without the entry; as it is if the owner removed the entry before."""
        folder, config = (CUSTOM_FOLDER, self.custom) if custom else (FOLDER, self.config)
        text = config.data[record.key]
        if record.form is EntryForm.BLOCK:
            label = f"ConfigMap {config.full_name} key {record.key}"
            return remove_block(text, read_valid_corefile(text, self.files, label), record.entry.name)
        is_own = not custom and record.key in self.corefiles()
        for key in (record.key,) if is_own else self.corefiles():
            for block in self.parse(key).blocks:
                file = "" if is_own else f"{folder}/{record.key}"
                after = remove_from_block(text, file, block, record.entry, record.form)
                if after != text:
                    return after
        return text

    def list_changes(self) -> tuple[ConfigMapChange, ...]:
        changes = []
        if self.config != self.server.config:
            changes.append(ConfigMapChange(before=self.server.config, after=self.config))
        before = self.server.custom or replace(self.custom, data={}, annotations={}, labels={})
        is_ours = self.custom.labels.get(MANAGED_BY) == MANAGER
        if not self.server.custom and self.custom.data:
            changes.append(ConfigMapChange(before=before, after=replace(self.custom, labels={MANAGED_BY: MANAGER})))
        elif self.server.custom and self.custom != before:
            gone = is_ours and not self.custom.data
            changes.append(ConfigMapChange(before=before, after=None if gone else self.custom))
        return tuple(changes)


def _set(config: ConfigMapState, key: str, text: str) -> ConfigMapState:
    data = {**config.data, key: text}
    if not text:
        del data[key]
    return replace(config, data=data)


def _list_warnings(server: DnsServer, texts: _Texts, changes: tuple[ConfigMapChange, ...]) -> tuple[Problem, ...]:
    if not changes:
        return ()
    owner = describe_owner(server.config) if texts.config != server.config else None
    warnings = [owner] if owner else []
    if not has_reload(server):
        kind = "DaemonSet" if server.kind is ServerKind.NODE_CACHE else "Deployment"
        warnings.append(
            Problem(
                code="dns-no-reload",
                message=f"the Corefile of {server.config.full_name} has no reload: its pods do not see the change",
                hint=f"restart the {kind} after the change: kubectl rollout restart -n {server.config.namespace}",
            )
        )
    return tuple(warnings)
