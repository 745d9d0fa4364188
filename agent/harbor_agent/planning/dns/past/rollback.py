"""Plans the way back from a run: the entries that it added go, those that it removed come back.

The history has no texts, only their hashes: they prove that nothing else changed since, and that the result is the text
from before the run, byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.dns import ABSENT, DnsPlan, hash_data
from harbor_agent.planning.dns.facts import has_reload
from harbor_agent.planning.dns.record import parse_record
from harbor_agent.planning.dns.texts import ServerTexts
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.model.dns import ConfigMapChange, DnsEntry, DnsServer
    from harbor_agent.model.runs import PastConfigMap


def plan_dns_rollback(server: DnsServer, past: Sequence[PastConfigMap]) -> DnsPlan:
    """Plan so that the server's ConfigMaps have the texts from before the run; refused if one was changed since."""
    present = {(one.namespace, one.name): hash_data(one.data) for one in (server.config, server.custom) if one}
    changed = [one for one in past if present.get((one.namespace, one.name), ABSENT) != one.before]
    if not changed:
        return DnsPlan(server=server)
    texts = ServerTexts(server)
    try:
        for one in changed:
            if present.get((one.namespace, one.name), ABSENT) != one.after:
                raise _refuse(one, "was changed after the run")
        added, removed = list_differences(changed)
        for entry in added:
            texts.remove(entry.name)
        for entry in removed:
            texts.add(entry)
        changes = texts.list_changes()
        _check_result(changed, changes)
    except RefusedError as refused:
        return DnsPlan(server=server, refusal=refused.problem)
    return DnsPlan(server=server, changes=changes, restarts=bool(changes) and not has_reload(server))


def list_differences(past: Iterable[PastConfigMap]) -> tuple[list[DnsEntry], list[DnsEntry]]:
    """Return the entries that a run added, and those that it removed."""
    added: list[DnsEntry] = []
    removed: list[DnsEntry] = []
    for one in past:
        before = [record.entry for record in parse_record(one.record_before)]
        after = [record.entry for record in parse_record(one.record_after)]
        added += [entry for entry in after if entry not in before and entry not in added]
        removed += [entry for entry in before if entry not in after and entry not in removed]
    return added, removed


def _check_result(past: Iterable[PastConfigMap], changes: Sequence[ConfigMapChange]) -> None:
    planned = {(change.before.namespace, change.before.name): change.after_hash for change in changes}
    for one in past:
        if planned.get((one.namespace, one.name)) != one.before:
            raise _refuse(one, "cannot be brought back to the text from before the run")


def _refuse(past: PastConfigMap, reason: str) -> RefusedError:
    return RefusedError(
        "rollback-edited",
        f"ConfigMap {past.namespace}/{past.name} {reason}",
        "remove entries with harbor-agent dns apply --absent --registry NAME, or set resolve again and apply",
    )
