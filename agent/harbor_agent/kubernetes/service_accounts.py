"""Attaching the pull secret to service accounts without losing the secrets attached already.

`ServiceAccount.imagePullSecrets` is an atomic list: every kind of merge replaces it. So: read, append with a JSON
patch that tests the resource version, and repeat if another client wrote in between. The annotation
harbor-agent/attached lists the secrets attached this way, so that detaching removes nothing else.
"""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lightkube.resources.core_v1 import ServiceAccount
from lightkube.types import PatchType

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import ServiceAccountResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightkube import Client

ATTACHED: Final = "harbor-agent/attached"
_DEADLINE = 30.0
_LONGEST_PAUSE = 0.5


def plan_attachment(client: Client, namespace: str, account: str, secret: str) -> ServiceAccountResult:
    """Return what `attach` would do: UNCHANGED, PENDING, SKIPPED or FAILED."""
    found = _read(client, namespace, account)
    if isinstance(found, Problem):
        return _build_failure(found, namespace, account, secret, None)
    attached = secret in _read_attached(found)
    return ServiceAccountResult(name=account, outcome=Outcome.UNCHANGED if attached else Outcome.PENDING)


def attach(client: Client, namespace: str, account: str, secret: str) -> ServiceAccountResult:
    """Append the secret to the account's `imagePullSecrets` unless it is there; needs get and patch on it.

    The same patch records it in an annotation. Retries for 30 s against concurrent writers.
    """
    outcome, problem, found = _patch(client, namespace, account, _build_attachment, secret)
    if problem is None:
        return ServiceAccountResult(name=account, outcome=outcome)
    return _build_failure(problem, namespace, account, secret, found)


def detach(client: Client, namespace: str, account: str, secret: str) -> ServiceAccountResult:
    """Remove the secret from the account's `imagePullSecrets` if we added it, and nothing else."""
    outcome, problem, _ = _patch(client, namespace, account, _build_detachment, secret)
    return ServiceAccountResult(name=account, outcome=outcome, problem=problem)


def list_attached_accounts(client: Client, namespace: str, secret: str) -> tuple[str, ...] | Problem:
    """Return the service accounts of a namespace that we attached the secret to; needs the right to list them."""
    intent = Intent(verb="list", resource="serviceaccounts", namespace=namespace)
    found = attempt(intent, lambda: tuple(client.list(ServiceAccount, namespace=namespace)))
    if isinstance(found, Problem):
        return found
    return tuple((one.metadata and one.metadata.name) or "" for one in found if secret in _read_ours(one))


def _patch(
    client: Client,
    namespace: str,
    account: str,
    steps: Callable[[ServiceAccount, str], list[dict[str, object]]],
    secret: str,
) -> tuple[Outcome, Problem | None, ServiceAccount | None]:
    """Apply the steps that the account needs; return the outcome and the account as last read."""
    intent = Intent(verb="patch", resource="serviceaccounts", name=account, namespace=namespace)
    end = time.monotonic() + _DEADLINE
    pause = 0.01
    refused: tuple[str, Problem] | None = None
    while True:
        found = _read(client, namespace, account)
        if isinstance(found, Problem):
            return Outcome.FAILED, found, None
        needed = steps(found, secret)
        if not needed:
            return Outcome.UNCHANGED, None, found
        version = _read_version(found)
        if refused and (refused[0] == version or time.monotonic() > end):
            # no other client wrote in between, so it was not the test that failed; or they never stop
            return Outcome.FAILED, refused[1], found
        patch = [{"op": "test", "path": "/metadata/resourceVersion", "value": version}, *needed]
        done = attempt(
            intent,
            lambda patch=patch: client.patch(  # type: ignore[misc]
                ServiceAccount, account, patch, namespace=namespace, patch_type=PatchType.JSON
            ),
        )
        if not isinstance(done, Problem):
            return Outcome.CHANGED, None, found
        if done.code not in {"cluster-conflict", "cluster-rejected"}:
            return Outcome.FAILED, done, found
        refused = (version, done)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _build_attachment(account: ServiceAccount, secret: str) -> list[dict[str, object]]:
    if secret in _read_attached(account):
        return []
    return [*_build_append(account, secret), *_build_note(account, sorted({*_read_ours(account), secret}))]


def _build_detachment(account: ServiceAccount, secret: str) -> list[dict[str, object]]:
    if secret not in _read_ours(account):
        return []
    places = [place for place, name in enumerate(_read_attached(account)) if name == secret]
    gone: list[dict[str, object]] = [{"op": "remove", "path": f"/imagePullSecrets/{place}"} for place in places[-1:]]
    return [*gone, *_build_note(account, sorted(_read_ours(account) - {secret}))]


def _build_note(account: ServiceAccount, secrets: list[str]) -> list[dict[str, object]]:
    """Return the steps that make the annotation list these secrets, or remove it if the list is empty."""
    annotations = (account.metadata and account.metadata.annotations) or {}
    path = f"/metadata/annotations/{ATTACHED.replace('/', '~1')}"
    if not secrets:
        return [{"op": "remove", "path": path}]
    value = ",".join(secrets)
    if annotations:
        return [{"op": "add", "path": path, "value": value}]
    return [{"op": "add", "path": "/metadata/annotations", "value": {ATTACHED: value}}]


def _read_ours(account: ServiceAccount) -> set[str]:
    annotations = (account.metadata and account.metadata.annotations) or {}
    return set(filter(None, annotations.get(ATTACHED, "").split(",")))


def _read(client: Client, namespace: str, account: str) -> ServiceAccount | Problem:
    intent = Intent(verb="get", resource="serviceaccounts", name=account, namespace=namespace)
    return attempt(intent, lambda: client.get(ServiceAccount, account, namespace=namespace))


def _read_attached(account: ServiceAccount) -> list[str]:
    return [reference.name or "" for reference in account.imagePullSecrets or []]


def _read_version(account: ServiceAccount) -> str:
    return (account.metadata and account.metadata.resourceVersion) or ""


def _build_append(account: ServiceAccount, secret: str) -> list[dict[str, object]]:
    if account.imagePullSecrets:
        return [{"op": "add", "path": "/imagePullSecrets/-", "value": {"name": secret}}]
    return [{"op": "add", "path": "/imagePullSecrets", "value": [{"name": secret}]}]


def _build_failure(
    problem: Problem, namespace: str, account: str, secret: str, found: ServiceAccount | None
) -> ServiceAccountResult:
    if problem.code != "cluster-forbidden":
        return ServiceAccountResult(name=account, outcome=Outcome.FAILED, problem=problem)
    command = _build_command(namespace, account, secret, found)
    by_hand = replace(problem, code="service-account-forbidden", hint=f"an administrator can run: {command}")
    return ServiceAccountResult(name=account, outcome=Outcome.SKIPPED, problem=by_hand)


def _build_command(namespace: str, account: str, secret: str, found: ServiceAccount | None) -> str:
    """Return the kubectl command that appends as `attach` would, even if the list could not be read."""

    def render_patch(patch: list[dict[str, object]]) -> str:
        arguments = ["kubectl", "-n", namespace, "patch", "serviceaccount", account, "--type=json", "-p"]
        return shlex.join([*arguments, json.dumps(patch, separators=(",", ":"))])

    if found:
        return render_patch(_build_append(found, secret))
    append: dict[str, object] = {"op": "add", "path": "/imagePullSecrets/-", "value": {"name": secret}}
    no_list: dict[str, object] = {"op": "test", "path": "/imagePullSecrets", "value": None}
    start: dict[str, object] = {"op": "add", "path": "/imagePullSecrets", "value": [{"name": secret}]}
    return f"{render_patch([append])} || {render_patch([no_list, start])}"
