"""Pull secrets in the cluster: planned, applied, listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.secret import SecretPlan
from harbor_agent.views.json.common import begin_document, describe_problem, explain, mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.secrets.commands import ManagedSecret
    from harbor_agent.engine.secrets.report import SecretsReport
    from harbor_agent.model.secret import SecretResult
    from harbor_agent.views.json.common import Json

SECRET_SCHEMA = "harbor-agent/secret/2"  # noqa: S105 - a name, not a password
SECRETS_SCHEMA = "harbor-agent/secrets/2"


def describe_secrets(secrets: SecretsReport | None) -> Json | None:
    """Return the `secret` member: every secret in every namespace, or null if there is no request for one."""
    if secrets is None:
        return None
    return {
        "status": secrets.status,
        "secrets": [
            {
                "name": item.result.name,
                "namespace": item.result.namespace,
                "registry": item.registry,
                "status": item.result.outcome.value,
                "action": item.result.action.value,
                "differences": list(item.result.differences),
                "changes": _describe_changes(item.result),
                "service_accounts": [
                    {"name": account.name, "status": account.outcome.value, **explain(account.problem)}
                    for account in item.result.service_accounts
                ],
                **explain(item.result.problem),
            }
            for item in secrets.items
        ],
        "warnings": [describe_problem(problem) for problem in secrets.warnings],
    }


def _describe_changes(result: SecretPlan | SecretResult) -> list[Json]:
    changes = result.changes if isinstance(result, SecretPlan) else ()
    return [{"key": mask(change.key), "change": change.kind.value} for change in changes]


def build_secret_document(secrets: SecretsReport, exit_code: int) -> Json:
    """Return the object that `secret apply`, `secret diff` and `secret remove` print with `-o json`."""
    return {
        **begin_document(SECRET_SCHEMA),
        "exit_code": exit_code,
        "secret": describe_secrets(secrets),
    }


def build_secrets_document(secrets: Sequence[ManagedSecret]) -> Json:
    """Return the object that `secret show -o json` prints."""
    return {
        **begin_document(SECRETS_SCHEMA),
        "secrets": [
            {
                "namespace": secret.namespace,
                "name": secret.name,
                "registry": secret.registry,
                "username": secret.username,
                "copy": secret.is_copy,
                "service_accounts": list(secret.service_accounts),
            }
            for secret in secrets
        ],
    }
