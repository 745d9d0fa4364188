"""Plans the entries of one DNS server of the cluster: they go into the block that answers the names today.

A server block of its own would also take all names below, and inherit neither upstream, port, bind address nor cache.
It is right only in a ConfigMap that the owner of the Corefile imports, or if node-cache has no hosts plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.dns import DnsPlan, ServerKind
from harbor_agent.planning.dns.facts import has_reload
from harbor_agent.planning.dns.owner import check_owner, describe_owner
from harbor_agent.planning.dns.texts import ServerTexts
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harbor_agent.model.dns import ConfigMapChange, DnsEntry, DnsServer


def plan_dns(server: DnsServer, present: Iterable[DnsEntry], absent: Iterable[str] = ()) -> DnsPlan:
    """Plan so that the server answers `present`, and that entries of ours for the names `absent` are removed."""
    texts = ServerTexts(server)
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
    restarts = bool(changes) and not has_reload(server)
    return DnsPlan(server=server, changes=changes, warnings=_list_warnings(server, texts, changes), restarts=restarts)


def _list_warnings(server: DnsServer, texts: ServerTexts, changes: tuple[ConfigMapChange, ...]) -> tuple[Problem, ...]:
    if not changes:
        return ()
    owner = describe_owner(server.config) if texts.config != server.config else None
    warnings = [owner] if owner else []
    if not has_reload(server):
        kind = "DaemonSet" if server.kind is ServerKind.NODE_CACHE else "Deployment"
        warnings.append(
            Problem(
                code="dns-no-reload",
                message=f"the Corefile of {server.config.full_name} has no reload: the change restarts the pods of the "
                f"{kind}, one after the other",
                hint="add the line 'reload' to the Corefile first, then no pod restarts",
            )
        )
    return tuple(warnings)
