"""The cluster's DNS servers as text: a block per server with its diff, and a last line that counts them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harbor_agent.language.current import translate
from harbor_agent.model.result import Outcome
from harbor_agent.planning.dns.diff import render_config_map_diff
from harbor_agent.views.text.style import indent, render_problem, render_warnings, style_diff, style_outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.engine.dns.report import DnsReport, ServerReport


def dns_text(report: DnsReport, *, diffs: bool = True) -> str:
    """Return a block for each server, with the diffs of its ConfigMaps unless they were shown before."""
    if report.problem:
        return "\n".join([translate("cluster's DNS  failed"), *render_problem(report.problem)])
    lines = [line for server in report.servers for line in _describe_server(server, diffs=diffs)]
    return "\n".join([*lines, *render_warnings(report.warnings), _count(report)])


def shown_dns_text(report: DnsReport) -> str:
    """Return a block for each server with the entries that harbor-agent added to it."""
    return "\n".join(line for server in report.servers for line in _describe_entries(server))


def _describe_server(server: ServerReport, *, diffs: bool) -> Iterator[str]:
    yield f"{server.name}  {style_outcome(server.outcome)}"
    if diffs and server.outcome is Outcome.PENDING:
        for change in server.plan.changes:
            yield indent(style_diff(render_config_map_diff(change)))
        yield from render_warnings(server.plan.warnings)
        if server.objection:
            message, *hint = render_problem(server.objection)
            yield indent(translate(f"apply will refuse this change: {message.strip()}"))
            yield from hint
    if server.problem:
        yield from render_problem(server.problem)
    for text in server.proven:
        yield indent(translate(text))
    if server.unproven:
        yield from render_problem(server.unproven)


def _describe_entries(server: ServerReport) -> Iterator[str]:
    yield f"{server.name}  ConfigMap {server.plan.server.config.full_name}"
    if server.problem:
        yield from render_problem(server.problem)
    for one in server.recorded:
        entry = one.recorded.entry
        state = "present" if one.present else "missing: another program rewrote the text since"
        if one.present and one.edited:
            state = "present; another program edited the text since"
        yield f"  {entry.name} {entry.address}  {one.recorded.key}  {translate(state)}"
    if not server.recorded:
        yield indent(translate("no entries of harbor-agent"))


def _count(report: DnsReport) -> str:
    counts = Counter(server.outcome for server in report.servers)
    words = ", ".join(f"{count} {outcome.value.replace('_', ' ')}" for outcome, count in counts.items())
    run = f" (run {report.run_id})" if report.run_id else ""
    return translate(f"DNS servers: {words}{run}")
