"""The cluster secrets: what is to be done, what was done, what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.model.secret import SecretPlan
from harbor_agent.views.json.common import optional_problem, problem_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.secrets.commands import ShownSecret
    from harbor_agent.engine.secrets.secrets import SecretsReport
    from harbor_agent.views.json.common import Json

SECRET_SCHEMA = "harbor-agent/secret/1"  # noqa: S105 - a name, not a password
SECRETS_SCHEMA = "harbor-agent/secrets/1"


def secrets_document(secrets: SecretsReport | None) -> Json | None:
    """Return the `secret` member: every secret in every namespace, or null where none was asked for."""
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
                "differences": list(item.result.differences) if isinstance(item.result, SecretPlan) else [],
                "service_accounts": [
                    {"name": account.name, "status": account.outcome.value, **optional_problem(account.problem)}
                    for account in item.result.service_accounts
                ],
                **optional_problem(item.result.problem),
            }
            for item in secrets.items
        ],
        "warnings": [problem_document(problem) for problem in secrets.warnings],
    }


def secrets_run_document(secrets: SecretsReport, exit_code: int) -> Json:
    """Return the object that `secret apply -o json` and `secret remove -o json` print."""
    return {
        "schema": SECRET_SCHEMA,
        "tool": f"harbor-agent {__version__}",
        "exit_code": exit_code,
        "secret": secrets_document(secrets),
    }


def shown_secrets_document(secrets: Sequence[ShownSecret]) -> Json:
    """Return the object that `secret show -o json` prints."""
    return {
        "schema": SECRETS_SCHEMA,
        "tool": f"harbor-agent {__version__}",
        "secrets": [
            {
                "namespace": secret.namespace,
                "name": secret.name,
                "registry": secret.registry,
                "username": secret.username,
                "service_accounts": list(secret.service_accounts),
            }
            for secret in secrets
        ],
    }
