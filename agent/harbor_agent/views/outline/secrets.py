"""Pull secrets as items: which keys change, never a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_userinfo
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import KeyChangeKind, SecretPlan
from harbor_agent.views.outline.value import VERDICTS, Item, Kind, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.engine.secrets.report import SecretItem, SecretsReport
    from harbor_agent.model.secret import SecretResult, ServiceAccountResult


def outline_secrets(report: SecretsReport | None) -> tuple[Item, ...]:
    """Return each secret in each namespace, and each service account that needs attention."""
    return tuple(item for one in (report.items if report else ()) for item in _outline_secret(one))


def _outline_secret(one: SecretItem) -> Iterator[Item]:
    result = one.result
    name = f"{result.namespace}/{result.name}"
    yield Item(
        name=name,
        kind=Kind.SECRET,
        verdict=VERDICTS[result.outcome],
        status=result.outcome.value.replace("_", " "),
        title=(result.action.value,) if result.outcome is Outcome.PENDING else (),
        reason=_describe_reason(result),
        problem=result.problem,
        remarks=(f"for {one.registry}", *_describe_keys(result)),
        warnings=result.warnings,
    )
    for account in result.service_accounts:
        if account.outcome is not Outcome.UNCHANGED:
            yield _outline_account(name, account)


def _outline_account(name: str, account: ServiceAccountResult) -> Item:
    return Item(
        name=f"{name} of service account {account.name}",
        kind=Kind.SECRET,
        verdict=Verdict.SKIPPED if account.outcome is Outcome.SKIPPED else VERDICTS[account.outcome],
        status=account.outcome.value.replace("_", " "),
        problem=account.problem,
    )


def _describe_reason(result: SecretPlan | SecretResult) -> str:
    if result.problem:
        return ""
    if isinstance(result, SecretPlan):
        return result.reason
    return f"differed before: {', '.join(result.differences)}" if result.differences else ""


def _describe_keys(result: SecretPlan | SecretResult) -> list[str]:
    changes = result.changes if isinstance(result, SecretPlan) else ()
    return [_describe_key(change.kind, mask_userinfo(change.key)) for change in changes]


def _describe_key(kind: KeyChangeKind, key: str) -> str:
    words = {
        KeyChangeKind.ADD: f"adds {key}",
        KeyChangeKind.REPLACE: f"replaces {key}",
        KeyChangeKind.REMOVE: f"removes {key}",
    }
    return words[kind]
