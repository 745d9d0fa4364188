"""The ConfigMaps of a DNS server while entries are added to them and removed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harbor_agent.formats.corefile.imports import FOLDER
from harbor_agent.model.dns import (
    CUSTOM_FOLDER,
    ConfigMapChange,
    ConfigMapState,
    EntryForm,
    RecordedEntry,
)
from harbor_agent.planning.dns.checks import find_unclear, read_valid_corefile
from harbor_agent.planning.dns.placement import has_entry, is_answered, place_entry
from harbor_agent.planning.dns.record import drop_entry, read_record, write_record
from harbor_agent.planning.dns.removals import remove_block, remove_from_block
from harbor_agent.planning.dns.zones import find_answering_blocks
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.formats.corefile.document import Corefile
    from harbor_agent.model.dns import DnsEntry, DnsServer
    from harbor_agent.planning.dns.placement import Place

COREFILE: Final = "Corefile"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "harbor-agent"
_MOST_BLOCKS: Final = 20


class ServerTexts:
    """The ConfigMaps of a server while they are edited."""

    def __init__(self, server: DnsServer) -> None:
        """Begin with what was observed."""
        self.server = server
        self.config = server.config
        created = ConfigMapState(namespace=server.config.namespace, name=server.custom_name, data={})
        self.custom = server.custom or created

    def check_key(self) -> None:
        """Raise RefusedError if the ConfigMap has no Corefile."""
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
    def _files(self) -> Mapping[str, str]:
        own = {f"{FOLDER}/{key}": text for key, text in self.config.data.items()}
        return own | {f"{CUSTOM_FOLDER}/{key}": text for key, text in self.custom.data.items()}

    def parse(self, key: str) -> Corefile:
        """Parse a Corefile with the files it imports. Raises RefusedError if CoreDNS would not load it."""
        label = f"ConfigMap {self.config.full_name} key {key}"
        return read_valid_corefile(self.config.data[key], self._files, label)

    def add(self, entry: DnsEntry) -> None:
        """Add an entry to every block that answers its name. Raises RefusedError."""
        for record in (*read_record(self.config), *read_record(self.custom)):
            if record.entry.name == entry.name and record.entry.address != entry.address:
                self.remove(entry.name)
        self._drop_lost_records(entry)
        for key in self.corefiles():
            # Each edit moves the places of the next one; every round adds the entry to one block.
            if not any(self._add_once(key, entry) for _ in range(_MOST_BLOCKS)):
                raise RefusedError(
                    "corefile-unclear",
                    f"key {key} of ConfigMap {self.config.full_name} would not answer {entry.name} after the edit",
                    "add the entry by hand, and set resolve.cluster to false",
                )

    def _drop_lost_records(self, entry: DnsEntry) -> None:
        """Drop the records of an entry that no text has any more: the owner has written its own again."""
        blocks = [block for key in self.corefiles() for block in self.parse(key).blocks]
        if any(has_entry(block, entry) for block in blocks):
            return
        for config in (self.config, self.custom):
            records = read_record(config)
            kept = [record for record in records if record.entry.name != entry.name]
            if len(kept) < len(records):
                self._keep(write_record(config, kept))

    def _keep(self, config: ConfigMapState) -> None:
        if config.name == self.config.name:
            self.config = config
        else:
            self.custom = config

    def _add_once(self, key: str, entry: DnsEntry) -> bool:
        """Add the entry as `add_to` does; a refusal names the text that its line is in."""
        try:
            return self._add_to(key, entry)
        except RefusedError as refused:
            problem = refused.problem
            if not problem.message.startswith("line "):
                raise
            message = f"key {key} of ConfigMap {self.config.full_name}, {problem.message}"
            raise RefusedError(problem.code, message, problem.hint) from None

    def _add_to(self, key: str, entry: DnsEntry) -> bool:
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
            if is_answered(self.server, block, entry, self._files, corefile):
                continue
            place, text, form = place_entry(self.server, self._read_texts(key), corefile, block, entry)
            self._write(key, place, text, RecordedEntry(entry=entry, key=place.key or key, form=form))
            return False
        return True

    def _read_texts(self, key: str) -> Mapping[str, str]:
        """Return the texts by the file of a word, "" for the Corefile under `key`."""
        return {**self._files, "": self.config.data[key]}

    def _write(self, key: str, place: Place, text: str, record: RecordedEntry) -> None:
        config = _set(self.custom if place.custom else self.config, place.key or key, text)
        self._keep(write_record(config, (*read_record(config), record)))

    def remove(self, name: str) -> None:
        """Remove the recorded entries for a name."""
        for custom in (False, True):
            for record in read_record(self.custom if custom else self.config):
                if record.entry.name == name:
                    self._remove_recorded(record, custom=custom)

    def _remove_recorded(self, record: RecordedEntry, *, custom: bool) -> None:
        config = self.custom if custom else self.config
        if record.key in config.data:
            config = _set(config, record.key, self._remove_text(record, custom=custom))
        self._keep(write_record(config, drop_entry(read_record(config), record)))

    def _remove_text(self, record: RecordedEntry, *, custom: bool) -> str:
        """Return the text of a key without the entry; as it is if the owner removed the entry before."""
        folder, config = (CUSTOM_FOLDER, self.custom) if custom else (FOLDER, self.config)
        text = config.data[record.key]
        if record.form is EntryForm.BLOCK:
            label = f"ConfigMap {config.full_name} key {record.key}"
            return remove_block(text, read_valid_corefile(text, self._files, label), record.entry.name)
        is_own = not custom and record.key in self.corefiles()
        for key in (record.key,) if is_own else self.corefiles():
            for block in self.parse(key).blocks:
                file = "" if is_own else f"{folder}/{record.key}"
                after = remove_from_block(text, file, block, record.entry, record.form)
                if after != text:
                    return after
        return text

    def list_changes(self) -> tuple[ConfigMapChange, ...]:
        """Return the ConfigMaps that differ from what was observed."""
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
