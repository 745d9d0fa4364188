"""Digests of what was requested, so that later runs can tell whether the request has changed."""

from __future__ import annotations

import hashlib
import json

from harbor_agent.model.policy import Policy


def request_digest(policy: Policy, *, repair: bool) -> str:
    """Return the SHA-256 (hex) of the whole request, the cluster's part included; logins are left out."""
    facts = {
        "node": policy_digest(policy),
        "registries": sorted([r.address.url, r.verify_image or "", repr(r.secret)] for r in policy.registries),
        "rollout": repr(policy.rollout),
        "repair": repair,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def is_rollback_digest(digest: str) -> bool:
    """Whether a record with this digest is that of a rollback, which asks for no registry at all."""
    return digest == policy_digest(Policy(registries=()))


def policy_digest(policy: Policy) -> str:
    """Return the SHA-256 (hex) of the part that concerns nodes: addresses, present or absent, and the route."""
    facts = {
        "registries": sorted([r.address.url, r.presence] for r in policy.registries),
        "route": policy.route.value,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
