"""Corrections of pull secrets: within what a person applied, and with a login of the settings (docs/decisions/0021)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harbor_agent.engine.drift.corrections import CorrectedFile
from harbor_agent.engine.request.credentials import read_login
from harbor_agent.engine.secrets.reconcile import plan_secrets
from harbor_agent.errors import AgentError, Problem
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import Quarantine
from harbor_agent.model.secret import Namespaces
from harbor_agent.planning.drift import DriftStatus, find_reverted_file, is_suspect
from harbor_agent.planning.secret_drift import describe_missing_approval
from harbor_agent.planning.secrets.desired import DesiredSecret, build_spec, list_requested

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harbor_agent.engine.drift.corrections import CorrectionLog
    from harbor_agent.engine.drift.secrets import DriftedSecret, SecretsDrift
    from harbor_agent.engine.secrets.report import SecretsReport
    from harbor_agent.model.policy import Credentials, DriftLimits, Policy, Registry

_WRITTEN = frozenset({Outcome.CHANGED, Outcome.UNCHANGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretCorrection:
    """The secrets to write again, each with exactly its drifted namespaces, and the plan of that."""

    desired: tuple[DesiredSecret, ...]
    report: SecretsReport


def choose_secret_corrections(
    drift: SecretsDrift, policies: Sequence[Policy], log: CorrectionLog, kubeconfig: str | None, context: str | None
) -> tuple[SecretsDrift, SecretCorrection | None]:
    """Return the drift with the problem that forbids each correction, and the correction of the rest.

    A secret that another program changes again and again goes into quarantine. The rest is tried on the server.
    """
    registries = {registry.address.entry: registry for registry, _ in list_requested(policies)}
    checked = [_check_history(one, log) for one in drift.secrets]
    logins = _read_logins({one.registry for one in checked if _is_correctable(one)}, registries)
    checked = [_check_login(one, logins[one.registry]) if _is_correctable(one) else one for one in checked]
    desired = tuple(_build_desired(checked, registries, logins))
    report = plan_secrets(desired, kubeconfig, context)
    if report is None:
        return replace(drift, secrets=tuple(checked)), None
    refused = {
        (item.registry, item.result.namespace): item.result.problem for item in report.items if item.result.problem
    }
    checked = [replace(one, problem=one.problem or refused.get((one.registry, one.namespace))) for one in checked]
    desired = tuple(_build_desired(checked, registries, logins))
    items = tuple(item for item in report.items if not item.result.problem)
    correction = SecretCorrection(desired=desired, report=replace(report, items=items)) if desired else None
    return replace(drift, secrets=tuple(checked)), correction


def refuse_suspect_secrets(drift: SecretsDrift, limits: DriftLimits) -> SecretsDrift:
    """Return the drift with a problem of each secret if too many of those that were written drifted at once.

    A new namespace that a selector takes in does not count: its secret was never there.
    """
    written = [one for one in drift.secrets if one.scope and not one.is_new]
    drifted = sum(1 for one in written if one.status is DriftStatus.DRIFT)
    if not is_suspect(drifted, len(written), limits):
        return drift
    problem = _describe_suspect_secrets(drifted, len(written), limits)
    secrets = (replace(one, problem=one.problem or problem) if _is_correctable(one) else one for one in drift.secrets)
    return replace(drift, secrets=tuple(secrets))


def list_corrected_secrets(drift: SecretsDrift) -> list[CorrectedFile]:
    """Return the secrets that a correction will write; their content is in no log."""
    return [
        CorrectedFile(node=one.key, place=one.place, path=one.incarnation, found="")
        for one in drift.secrets
        if _is_correctable(one)
    ]


def list_unwritten_secrets(drift: SecretsDrift, report: SecretsReport | None) -> list[tuple[str, str]]:
    """Return name and place in the log of the secrets that a correction did not write after all."""
    written = find_corrected_secrets(report)
    return [
        (one.key, one.place)
        for one in drift.secrets
        if _is_correctable(one) and (one.namespace, one.name) not in written
    ]


def find_corrected_secrets(report: SecretsReport | None) -> frozenset[tuple[str, str]]:
    """Return namespace and name of the secrets that a correction wrote, with all their service accounts."""
    return frozenset(
        (item.result.namespace, item.result.name)
        for item in (report.items if report else ())
        if item.result.outcome in _WRITTEN
        and all(account.outcome in _WRITTEN for account in item.result.service_accounts)
    )


def list_states_after(drift: SecretsDrift, report: SecretsReport | None) -> list[DriftStatus]:
    """Return the status of each secret after a correction (None: there was none)."""
    corrected = find_corrected_secrets(report)
    return [DriftStatus.IN_SYNC if (one.namespace, one.name) in corrected else one.status for one in drift.secrets]


def _is_correctable(one: DriftedSecret) -> bool:
    return one.status is DriftStatus.DRIFT and one.problem is None


def _check_history(one: DriftedSecret, log: CorrectionLog) -> DriftedSecret:
    if not _is_correctable(one):
        return one
    if one.quarantine:
        return replace(one, problem=_describe_quarantine(one, one.quarantine, log))
    reverted = find_reverted_file({one.incarnation: ""}, log.list_corrections(one.key, one.place))
    if reverted is None:
        return one
    _, reason = reverted
    since = datetime.now(UTC).isoformat(timespec="seconds")
    quarantine = Quarantine(node=one.key, place=one.place, since=since, path=one.incarnation, reason=reason)
    log.quarantine(quarantine)
    return replace(one, quarantine=quarantine, problem=_describe_quarantine(one, quarantine, log))


def _read_logins(entries: Iterable[str], registries: Mapping[str, Registry]) -> dict[str, Credentials | Problem]:
    """Return the login of each registry, or the problem that this run does not have it."""
    found: dict[str, Credentials | Problem] = {}
    for entry in entries:
        source = registries[entry].credentials
        try:
            found[entry] = (
                read_login(source, registries[entry].address)
                if source
                else _describe_missing_login(entry, "the settings have no credentials")
            )
        except AgentError as error:
            found[entry] = _describe_missing_login(entry, error.problem.message)
    return found


def _check_login(one: DriftedSecret, login: Credentials | Problem) -> DriftedSecret:
    if isinstance(login, Problem):
        return replace(one, problem=login)
    if one.scope and one.scope.username != login.username:
        why = f"it was applied for user '{one.scope.username}', and the settings have '{login.username}'"
        return replace(one, problem=describe_missing_approval(one.namespace, one.name, why))
    return one


def _build_desired(
    checked: Sequence[DriftedSecret],
    registries: Mapping[str, Registry],
    logins: Mapping[str, Credentials | Problem],
) -> Iterable[DesiredSecret]:
    """Yield each secret with the namespaces of its correction; it is ours there, so its content is written again."""
    for entry, registry in registries.items():
        login = logins.get(entry)
        names = tuple(one.namespace for one in checked if one.registry == entry and _is_correctable(one))
        if names and registry.secret and login and not isinstance(login, Problem):
            spec = build_spec(registry, registry.secret, login, force_conflicts=True)
            yield DesiredSecret(spec=spec, namespaces=Namespaces(names=names), report_leftovers=False)


def _describe_quarantine(one: DriftedSecret, quarantine: Quarantine, log: CorrectionLog) -> Problem:
    name = log.find_name(quarantine)
    return Problem(
        code="drift-quarantined",
        message=f"another program changes secret {one.namespace}/{one.name} or its service accounts again: "
        f"{quarantine.reason}; in quarantine since {quarantine.since}",
        hint=f"find that program, such as GitOps or a replicator, then run harbor-agent drift release {name}",
    )


def _describe_suspect_secrets(drifted: int, written: int, limits: DriftLimits) -> Problem:
    return Problem(
        code="drift-secrets-suspect",
        message=f"{drifted} of {written} pull secrets drifted at once, more than drift.max_drifted "
        f"({limits.max_drifted}) allows; none is written, because another program or an error in the settings is "
        "more likely",
        hint="find out what changed them; then run harbor-agent secret apply, or raise --max-drifted",
    )


def _describe_missing_login(entry: str, why: str) -> Problem:
    return Problem(
        code="drift-password-missing",
        message=f"this run does not have the login at {entry}: {why}",
        hint="name a file with password_file that the run can read, or run harbor-agent secret apply with the login",
    )
