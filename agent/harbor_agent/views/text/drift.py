"""Drift as text: a line per node, its differences below, and a last line that sums up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.drift.secret_corrections import list_states_after
from harbor_agent.formats.redact import mask_text
from harbor_agent.language.current import translate
from harbor_agent.planning.drift import DriftStatus
from harbor_agent.views.text.common import FEW, count_nodes, list_names
from harbor_agent.views.text.dns import dns_text
from harbor_agent.views.text.layout.cells import fill_cell
from harbor_agent.views.text.run import run_summary
from harbor_agent.views.text.secrets import list_secrets_text
from harbor_agent.views.text.style import Color, indent, render_problem, render_warnings, shorten_digest, style

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.engine.drift.detect import DriftedNode, DriftReport
    from harbor_agent.engine.drift.dns import DnsDrift
    from harbor_agent.engine.drift.secrets import SecretsDrift
    from harbor_agent.engine.reports.report import Report
    from harbor_agent.errors import Problem
    from harbor_agent.planning.drift import NodeDrift

_COLORS = {
    DriftStatus.IN_SYNC: Color.GREEN,
    DriftStatus.DRIFT: Color.YELLOW,
    DriftStatus.PENDING: Color.YELLOW,
    DriftStatus.UNMANAGED: Color.YELLOW,
    DriftStatus.SKIPPED: None,
}
# Problems, then nodes with something to do, then the others.
_ORDER = (
    *(DriftStatus.FAILED, DriftStatus.UNREACHABLE, DriftStatus.DRIFT, DriftStatus.BUSY),
    *(DriftStatus.PENDING, DriftStatus.UNMANAGED, DriftStatus.SKIPPED, DriftStatus.IN_SYNC),
)
_WORDS = {status: status.value.replace("_", " ") for status in DriftStatus} | {DriftStatus.DRIFT: "drifted"}


def drift_text(report: DriftReport, ended: Report | None, blocked_by: Problem | None) -> str:
    """Return all nodes, problems first; the result of a correction (or why there was none) before the last line.

    More than a few nodes with the same text share a block.
    """
    width = max((len(node.name) for node in report.nodes), default=0)
    blocks = _describe_dns(report.dns) if report.dns else []
    blocks += _describe_secrets(report.secrets) if report.secrets else []
    blocks += ["\n".join(lines) for group in _group_nodes(report.nodes) for lines in _render_group(group, width)]
    warnings = (*report.warnings, *(ended.warnings if ended else ()), *((blocked_by,) if blocked_by else ()))
    if warnings:
        blocks.append("\n".join(render_warnings(warnings)))
    if ended and ended.dns:
        blocks.append(dns_text(ended.dns, diffs=False))
    if ended and ended.secrets and (listed := list_secrets_text(ended.secrets)):
        blocks.append(listed)
    if ended:
        blocks.append(run_summary(ended))
    return "\n".join([*blocks, translate(summarize_drift(report, ended))])


def _describe_dns(dns: DnsDrift) -> list[str]:
    if dns.problem:
        return ["\n".join([translate("cluster's DNS  failed"), *render_problem(dns.problem)])]
    blocks = []
    for one in dns.servers:
        word = style(translate(_WORDS[one.status]), _COLORS.get(one.status, Color.RED), bold=True)
        problem = render_problem(one.problem) if one.problem else []
        blocks.append("\n".join([f"{one.server.name}  {word}  {translate(one.reason)}".rstrip(), *problem]))
    return blocks


def _describe_secrets(drift: SecretsDrift) -> list[str]:
    """Return a block for each pull secret that is not as applied."""
    if drift.problem:
        return ["\n".join([translate("pull secrets  failed"), *render_problem(drift.problem)])]
    blocks = []
    for one in drift.secrets:
        if one.status is DriftStatus.IN_SYNC:
            continue
        word = style(translate(_WORDS[one.status]), _COLORS.get(one.status, Color.RED), bold=True)
        reason = "" if one.problem and one.problem.message == one.reason else one.reason
        problem = render_problem(one.problem) if one.problem else []
        blocks.append(
            "\n".join(
                [f"{translate(f'secret {one.namespace}/{one.name}')}  {word}  {translate(reason)}".rstrip(), *problem]
            )
        )
    return blocks


def _count_secrets(drift: SecretsDrift | None, ended: Report | None) -> str:
    """Return the end of the last line: how many pull secrets are in which state after the run."""
    if drift is None or drift.problem:
        return ""
    found = Counter(list_states_after(drift, ended.secrets if ended else None))
    counted = ", ".join(f"{found[status]} {_WORDS[status]}" for status in DriftStatus if found[status])
    return f"; pull secrets: {counted or 'none'}"


def _group_nodes(nodes: Sequence[DriftedNode]) -> list[list[DriftedNode]]:
    groups: dict[tuple[str, ...], list[DriftedNode]] = {}
    for node in sorted(nodes, key=lambda node: _ORDER.index(node.status)):
        # A problem's message may name the node; its code and hint do not.
        problem = (node.problem.code, node.problem.hint) if node.problem else ()
        groups.setdefault((_describe_status(node), *_describe_differences(node), *problem), []).append(node)
    return list(groups.values())


def _render_group(group: Sequence[DriftedNode], width: int) -> Iterator[list[str]]:
    """Yield the lines of each node, or one block for all of them."""
    if len(group) <= FEW:
        for node in group:
            yield [
                f"{node.name.ljust(width)}  {_describe_status(node)}",
                *_describe_differences(node),
                *_describe_problems([node]),
            ]
        return
    title = f"{fill_cell(translate(count_nodes(len(group))), width)}  {_describe_status(group[0])}"
    yield [
        title,
        f"  {translate(list_names([node.name for node in group]))}",
        *_describe_differences(group[0]),
        *_describe_problems(group),
    ]


def _describe_status(node: DriftedNode) -> str:
    word = style(fill_cell(translate(_WORDS[node.status]), 11), _COLORS.get(node.status, Color.RED), bold=True)
    reason = "" if node.problem and node.problem.message == node.reason else node.reason
    return f"{word}  {translate(reason)}".rstrip()


def _describe_differences(node: DriftedNode) -> list[str]:
    lines = [f"  {line}" for line in list_differences(node.drift)]
    if node.quarantine and (node.problem is None or node.problem.code != "drift-quarantined"):
        lines.append(indent(translate(f"in quarantine since {node.quarantine.since}: {node.quarantine.reason}")))
    return lines


def list_differences(drift: NodeDrift | None) -> list[str]:
    """Return a line for each file and each argument of the daemon that differs from the record."""
    if drift is None:
        return []
    return [
        *(f"{file.path}: {shorten_digest(file.recorded)} -> {shorten_digest(file.found)}" for file in drift.files),
        *(f"- {_mask(argument)}" for argument in drift.missing_arguments),
        *(f"+ {_mask(argument)}" for argument in drift.added_arguments),
    ]


def _describe_problems(group: Sequence[DriftedNode]) -> list[str]:
    """Return the message of each problem, and their hint, which is the same for all, once."""
    problems = [node.problem for node in group if node.problem]
    messages = [render_problem(replace(problem, hint=""))[0] for problem in problems]
    return [*dict.fromkeys(messages), *(render_problem(problems[0])[1:] if problems else [])]


def summarize_drift(report: DriftReport, ended: Report | None) -> str:
    """Return one line: the nodes that were corrected, and the state of all others and of the pull secrets."""
    corrected = ended.changed_nodes if ended else frozenset()
    left = [node for node in report.nodes if node.name not in corrected]
    found = Counter(node.status for node in left)
    counted = [f"{len(corrected)} corrected"] if corrected else []
    counted += [
        f"{found[status]} {_WORDS[status]}{_count_places(left, status)}" for status in DriftStatus if found[status]
    ]
    quarantined = sum(node.quarantine is not None for node in left)
    counted += [f"{quarantined} in quarantine"] if quarantined else []
    return "Drift: " + (", ".join(counted) or "no nodes") + _count_secrets(report.secrets, ended)


def _count_places(nodes: Sequence[DriftedNode], status: DriftStatus) -> str:
    if status is not DriftStatus.DRIFT:
        return ""
    drifted = [node.drift for node in nodes if node.drift and node.status is status]
    return f" ({sum(d.in_files for d in drifted)} in files, {sum(d.at_runtime for d in drifted)} at runtime)"


def _mask(text: str) -> str:
    return mask_text(text.encode(errors="backslashreplace"))
