"""The record of what this tool added to a ConfigMap: an annotation, since a migration may drop comments."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harbor_agent.model.dns import DnsEntry, EntryForm, RecordedEntry, hash_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harbor_agent.model.dns import ConfigMapState

ANNOTATION: Final = "harbor-agent/dns"


def read_record(config: ConfigMapState) -> tuple[RecordedEntry, ...]:
    """Return the entries that the annotation records; one that cannot be read records none."""
    return parse_record(config.annotations.get(ANNOTATION, ""))


def parse_record(text: str) -> tuple[RecordedEntry, ...]:
    """Return the entries that the text of an annotation records."""
    try:
        found = json.loads(text or "[]")
        return tuple(
            RecordedEntry(
                entry=DnsEntry(name=str(one["name"]), address=str(one["address"])),
                key=str(one["key"]),
                form=EntryForm(one["form"]),
                digest=str(one.get("digest", "")),
            )
            for one in found
        )
    except (ValueError, KeyError, TypeError):
        return ()


def write_record(config: ConfigMapState, records: Iterable[RecordedEntry]) -> ConfigMapState:
    """Return the ConfigMap with these entries and the hashes of their texts recorded; without any, no annotation."""
    rows = [
        {
            "name": one.entry.name,
            "address": one.entry.address,
            "key": one.key,
            "form": one.form.value,
            "digest": hash_text(config.data[one.key]) if one.key in config.data else one.digest,
        }
        for one in records
    ]
    annotations = {key: value for key, value in config.annotations.items() if key != ANNOTATION}
    if rows:
        annotations[ANNOTATION] = json.dumps(rows, sort_keys=True, separators=(",", ":"))
    return replace(config, annotations=annotations)


def drop_entry(records: tuple[RecordedEntry, ...], gone: RecordedEntry) -> tuple[RecordedEntry, ...]:
    """Return the records without one; the directive that came with it then belongs to the next entry of its key."""
    rest = [one for one in records if one != gone]
    if gone.form in (EntryForm.DIRECTIVE, EntryForm.BODY):
        for index, one in enumerate(rest):
            if one.key == gone.key and one.form is EntryForm.LINE:
                rest[index] = replace(one, form=gone.form)
                break
    return tuple(rest)
