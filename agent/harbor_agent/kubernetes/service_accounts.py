"""Attaching the pull secret to service accounts without losing what is attached already.

`ServiceAccount.imagePullSecrets` is an atomic list: every kind of merge replaces it. So: read, append with a JSON
patch that tests the resource version, and again where somebody wrote in between. The annotation harbor-agent/attached
names what was attached so, for an undo that takes nothing else away.
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
        return _not_done(found, namespace, account, secret, None)
    attached = secret in _attached(found)
    return ServiceAccountResult(name=account, outcome=Outcome.UNCHANGED if attached else Outcome.PENDING)


def attach(client: Client, namespace: str, account: str, secret: str) -> ServiceAccountResult:
    """Append the secret to the account's `imagePullSecrets` unless it is there; needs get and patch on it.

    An annotation notes that we did, in the same patch. Tries for 30 s against concurrent writers.
    """
    outcome, problem, found = _change(client, namespace, account, _attachment, secret)
    if problem is None:
        return ServiceAccountResult(name=account, outcome=outcome)
    return _not_done(problem, namespace, account, secret, found)


def detach(client: Client, namespace: str, account: str, secret: str) -> ServiceAccountResult:
    """Take the secret out of the account's `imagePullSecrets` again if we put it there, and nothing else."""
    outcome, problem, _ = _change(client, namespace, account, _detachment, secret)
    return ServiceAccountResult(name=account, outcome=outcome, problem=problem)


def attached_accounts(client: Client, namespace: str, secret: str) -> tuple[str, ...] | Problem:
    """Return the service accounts of a namespace that we attached the secret to; needs the right to list them."""
    intent = Intent(verb="list", resource="serviceaccounts", namespace=namespace)
    found = attempt(intent, lambda: tuple(client.list(ServiceAccount, namespace=namespace)))
    if isinstance(found, Problem):
        return found
    return tuple((one.metadata and one.metadata.name) or "" for one in found if secret in _ours(one))


def _change(
    client: Client,
    namespace: str,
    account: str,
    steps: Callable[[ServiceAccount, str], list[dict[str, object]]],
    secret: str,
) -> tuple[Outcome, Problem | None, ServiceAccount | None]:
    """Carry out the steps that the account takes as it is; return how it went, and what was seen last."""
    intent = Intent(verb="patch", resource="serviceaccounts", name=account, namespace=namespace)
    end = time.monotonic() + _DEADLINE
    pause = 0.01
    refused: tuple[str, Problem] | None = None
    while True:
        found = _read(client, namespace, account)
        if isinstance(found, Problem):
            return Outcome.FAILED, found, None
        wanted = steps(found, secret)
        if not wanted:
            return Outcome.UNCHANGED, None, found
        version = _version(found)
        if refused and (refused[0] == version or time.monotonic() > end):
            # nobody wrote in between, so it was not the test that failed; or others write without end
            return Outcome.FAILED, refused[1], found
        patch = [{"op": "test", "path": "/metadata/resourceVersion", "value": version}, *wanted]
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


def _attachment(account: ServiceAccount, secret: str) -> list[dict[str, object]]:
    if secret in _attached(account):
        return []
    return [*_append(account, secret), *_note(account, sorted({*_ours(account), secret}))]


def _detachment(account: ServiceAccount, secret: str) -> list[dict[str, object]]:
    if secret not in _ours(account):
        return []
    places = [place for place, name in enumerate(_attached(account)) if name == secret]
    gone: list[dict[str, object]] = [{"op": "remove", "path": f"/imagePullSecrets/{place}"} for place in places[-1:]]
    return [*gone, *_note(account, sorted(_ours(account) - {secret}))]


def _note(account: ServiceAccount, secrets: list[str]) -> list[dict[str, object]]:
    """Return the steps that make the annotation name these secrets, or go."""
    annotations = (account.metadata and account.metadata.annotations) or {}
    path = f"/metadata/annotations/{ATTACHED.replace('/', '~1')}"
    if not secrets:
        return [{"op": "remove", "path": path}]
    value = ",".join(secrets)
    if annotations:
        return [{"op": "add", "path": path, "value": value}]
    return [{"op": "add", "path": "/metadata/annotations", "value": {ATTACHED: value}}]


def _ours(account: ServiceAccount) -> set[str]:
    annotations = (account.metadata and account.metadata.annotations) or {}
    return set(filter(None, annotations.get(ATTACHED, "").split(",")))


def _read(client: Client, namespace: str, account: str) -> ServiceAccount | Problem:
    intent = Intent(verb="get", resource="serviceaccounts", name=account, namespace=namespace)
    return attempt(intent, lambda: client.get(ServiceAccount, account, namespace=namespace))


def _attached(account: ServiceAccount) -> list[str]:
    return [reference.name or "" for reference in account.imagePullSecrets or []]


def _version(account: ServiceAccount) -> str:
    return (account.metadata and account.metadata.resourceVersion) or ""


def _append(account: ServiceAccount, secret: str) -> list[dict[str, object]]:
    if account.imagePullSecrets:
        return [{"op": "add", "path": "/imagePullSecrets/-", "value": {"name": secret}}]
    return [{"op": "add", "path": "/imagePullSecrets", "value": [{"name": secret}]}]


def _not_done(
    problem: Problem, namespace: str, account: str, secret: str, found: ServiceAccount | None
) -> ServiceAccountResult:
    if problem.code != "cluster-forbidden":
        return ServiceAccountResult(name=account, outcome=Outcome.FAILED, problem=problem)
    command = _command(namespace, account, secret, found)
    by_hand = replace(problem, code="service-account-forbidden", hint=f"somebody who may can run: {command}")
    return ServiceAccountResult(name=account, outcome=Outcome.SKIPPED, problem=by_hand)


def _command(namespace: str, account: str, secret: str, found: ServiceAccount | None) -> str:
    """Return the kubectl command that appends as `attach` would, also where the list could not be read."""

    def kubectl(patch: list[dict[str, object]]) -> str:
        arguments = ["kubectl", "-n", namespace, "patch", "serviceaccount", account, "--type=json", "-p"]
        return shlex.join([*arguments, json.dumps(patch, separators=(",", ":"))])

    if found:
        return kubectl(_append(found, secret))
    append: dict[str, object] = {"op": "add", "path": "/imagePullSecrets/-", "value": {"name": secret}}
    no_list: dict[str, object] = {"op": "test", "path": "/imagePullSecrets", "value": None}
    start: dict[str, object] = {"op": "add", "path": "/imagePullSecrets", "value": [{"name": secret}]}
    return f"{kubectl([append])} || {kubectl([no_list, start])}"
