"""The lock of a cluster: a Lease of coordination.k8s.io/v1, written only if it is still as it was read.

Import this module when it is needed: lightkube takes a quarter of a second to import.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
from lightkube.models.coordination_v1 import LeaseSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.coordination_v1 import Lease

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.model.runs import Claim

if TYPE_CHECKING:
    from harbor_agent.kubernetes.kubeconfig.client import ApiClient

NAMESPACE: Final = "kube-system"  # every cluster has it, so all controllers agree on the place
NAME: Final = "harbor-agent"
_CLAIMS: Final = "harbor-agent/claims"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    """The claims of the runs that hold the lock; `version` is "" if the Lease does not exist yet."""

    claims: tuple[Claim, ...] = ()
    version: str = ""


def read_lease(client: ApiClient) -> LeaseState | Problem:
    """Return the state of the lock. Claims that this version cannot read are one claim of an unknown run."""
    found = attempt(_build_intent("get"), lambda: client.get(Lease, NAME, namespace=NAMESPACE))
    if isinstance(found, Problem):
        return LeaseState() if found.code == "cluster-not-found" else found
    metadata = found.metadata or ObjectMeta()
    text = (metadata.annotations or {}).get(_CLAIMS, "[]")
    return LeaseState(claims=_decode_claims(text), version=metadata.resourceVersion or "")


def write_lease(client: ApiClient, before: LeaseState, claims: tuple[Claim, ...], seconds: float) -> Problem | None:
    """Write the claims; `cluster-conflict` if the Lease is no longer as it was read.

    `spec` has the newest claim for people who read it with kubectl; `seconds` is how long a claim lasts.
    """
    newest = max(claims, key=lambda claim: claim.renewed, default=None)
    lease = Lease(
        metadata=ObjectMeta(
            namespace=NAMESPACE,
            name=NAME,
            annotations={_CLAIMS: msgspec.json.encode([asdict(claim) for claim in claims]).decode()},
            resourceVersion=before.version or None,
        ),
        spec=LeaseSpec(
            holderIdentity=str(newest) if newest else "",
            leaseDurationSeconds=max(1, int(seconds)),
            renewTime=datetime.now(UTC),
        ),
    )

    def send() -> None:
        if before.version:
            client.replace(lease)
        else:
            client.create(lease)

    return attempt(_build_intent("update" if before.version else "create"), send)


def _decode_claims(text: str) -> tuple[Claim, ...]:
    try:
        return msgspec.json.decode(text, type=tuple[Claim, ...])
    except msgspec.MsgspecError:
        return (Claim(run_id="unknown", holder="another version of harbor-agent", rollout="", shard="", renewed=text),)


def _build_intent(verb: str) -> Intent:
    return Intent(verb=verb, resource="leases", name=NAME, namespace=NAMESPACE)
