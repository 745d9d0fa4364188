"""The commands that concern the cluster alone: no node is looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.engine.secrets import (
    SecretsReport,
    apply_secrets,
    check_logins,
    credentials_of,
    wanted_secrets,
)
from agent.errors import ExitCode, UsageError
from agent.model.policy import SecretPolicy

if TYPE_CHECKING:
    from agent.engine.request import Policies
    from agent.engine.secrets import WantedSecret
    from agent.errors import Problem
    from agent.model.policy import Policy


def apply_pull_secrets(policies: Policies) -> tuple[SecretsReport, ExitCode]:
    """Check the logins and apply the secrets. Raises AgentError where a registry rejects its login."""
    policy = _with_secrets(policies)
    credentials = credentials_of([policy])
    wanted = wanted_secrets([policy], credentials)
    findings = check_logins([policy], credentials)
    report = apply_secrets(wanted, policy.kubeconfig, policies.flags.context) or SecretsReport()
    report = replace(report, findings=(*findings, *report.findings))
    return report, ExitCode.FAILED if report.status == "failed" else ExitCode.DONE


def render_pull_secrets(policies: Policies) -> str:
    """Return the manifests as YAML documents, passwords included."""
    from agent.cluster.secrets import secret_manifest_text  # noqa: PLC0415 - YAML is not needed for --help

    return "".join(
        secret_manifest_text(wanted.spec, namespace) for wanted in _wanted(policies) for namespace in wanted.namespaces
    )


def validate_logins(policies: Policies) -> list[Problem]:
    """Ask every registry about its login; return what is worth telling. Raises AgentError for a wrong one."""
    policy = policies.general()
    credentials = credentials_of([policy])
    if not credentials:
        raise UsageError.of(
            "credentials-missing", "there is no login to validate", "give --username and --password-stdin"
        )
    return check_logins([policy], credentials, must_answer=True)


def _wanted(policies: Policies) -> list[WantedSecret]:
    policy = _with_secrets(policies)
    return wanted_secrets([policy], credentials_of([policy]))


def _with_secrets(policies: Policies) -> Policy:
    """Return the general policy in which every registry has a secret, if only by the default name."""
    policy = policies.general()
    if not policy.registries:
        raise UsageError.of("registry-missing", "which registry? None is named", "name one with --registry")
    return replace(policy, registries=tuple(replace(r, secret=r.secret or SecretPolicy()) for r in policy.registries))
