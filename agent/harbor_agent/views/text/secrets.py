"""Pull secrets as text: a line per namespace, its service accounts and problems below."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_userinfo
from harbor_agent.language.current import translate
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import KeyChangeKind, SecretPlan
from harbor_agent.views.text.style import Color, indent, render_problem, render_warnings, style, style_outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.secrets.commands import ManagedSecret
    from harbor_agent.engine.secrets.report import SecretItem, SecretsReport
    from harbor_agent.errors import Problem
    from harbor_agent.model.secret import SecretResult

_SIGNS = {KeyChangeKind.ADD: "+", KeyChangeKind.REPLACE: "~", KeyChangeKind.REMOVE: "-"}
_COLORS = {KeyChangeKind.ADD: Color.GREEN, KeyChangeKind.REPLACE: Color.YELLOW, KeyChangeKind.REMOVE: Color.RED}
_WORDS = {outcome: outcome.value.replace("_", " ") for outcome in Outcome} | {Outcome.PENDING: "to change"}


def secrets_text(report: SecretsReport) -> str:
    """Return a block per secret, a line per warning, and a last line that counts the secrets."""
    return f"{list_secrets_text(report)}\n{translate(_count(report))}".lstrip("\n")


def list_secrets_text(report: SecretsReport) -> str:
    """Return a block per secret and a line per warning; "" if there is none."""
    return _list_report(report, with_keys=False)


def count_secrets(report: SecretsReport | None) -> str:
    """Return the end of the line that sums up a plan or a run: how many pull secrets have each outcome."""
    return "" if report is None else f"; {_count(report).replace('P', 'p', 1)}"


def secrets_diff_text(report: SecretsReport) -> str:
    """Return the same as `secrets_text`, with a line for each key that the server would change."""
    return f"{_list_report(report, with_keys=True)}\n{translate(_count(report))}".lstrip("\n")


def shown_secrets_text(secrets: Sequence[ManagedSecret]) -> str:
    """Return a line per secret, and a last line that counts them."""
    lines = [
        f"{secret.namespace}/{secret.name}  "
        + translate(f"{secret.username} at {secret.registry}")
        + (translate(f"  attached to {', '.join(secret.service_accounts)}") if secret.service_accounts else "")
        + (translate("  copy, not created by harbor-agent") if secret.is_copy else "")
        for secret in secrets
    ]
    copies = sum(secret.is_copy for secret in secrets)
    copied = f", {copies} {'copy' if copies == 1 else 'copies'}" if copies else ""
    return "\n".join(
        [*lines, translate(f"Pull secrets: {len(secrets) - copies or 'none'} created by harbor-agent{copied}")]
    )


def _list_report(report: SecretsReport, *, with_keys: bool) -> str:
    blocks = [line for item in report.items for line in _describe_secret(item, with_keys=with_keys)]
    return "\n".join([*blocks, *render_warnings(report.warnings)])


def _describe_secret(item: SecretItem, *, with_keys: bool) -> list[str]:
    result = item.result
    action = f" {translate(result.action.value)}" if result.outcome is Outcome.PENDING else ""
    title = translate(f"secret {result.namespace}/{result.name} for {item.registry}")
    lines = [f"{title}  {style_outcome(result.outcome)}{action}"]
    if isinstance(result, SecretPlan) and result.outcome is Outcome.PENDING:
        lines.append(indent(translate(result.reason)))
    elif result.differences and result.outcome is Outcome.CHANGED:
        lines.append(indent(translate(f"differed before: {', '.join(result.differences)}")))
    lines += _render(result.problem)
    lines += _list_changes(result) if with_keys else []
    for account in result.service_accounts:
        lines.append(indent(translate(f"service account {account.name}: {style_outcome(account.outcome)}")))
        lines += [indent(line) for line in _render(account.problem)]
    return lines


def _list_changes(result: SecretPlan | SecretResult) -> list[str]:
    """Return a line per key; values are never printed, as most of them are secret."""
    changes = result.changes if isinstance(result, SecretPlan) else ()
    return [
        "  " + style(f"{_SIGNS[change.kind]} {mask_userinfo(change.key)}", _COLORS[change.kind]) for change in changes
    ]


def _render(problem: Problem | None) -> list[str]:
    return render_problem(problem) if problem else []


def _count(report: SecretsReport) -> str:
    found = Counter(item.result.outcome for item in report.items)
    counted = [f"{found[outcome]} {_WORDS[outcome]}" for outcome in Outcome if found[outcome]]
    return f"Pull secrets: {', '.join(counted) or 'none'}"
