"""Short names for what was wanted, so that later runs can tell whether the wish has changed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.model.policy import Policy


def request_digest(policy: Policy, *, repair: bool) -> str:
    """Return SHA-256 (hex) over all that was asked for, also of the cluster, but for logins."""
    facts = {
        "node": policy_digest(policy),
        "registries": sorted([r.address.url, r.verify_image or "", repr(r.secret)] for r in policy.registries),
        "rollout": repr(policy.rollout),
        "repair": repair,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def policy_digest(policy: Policy) -> str:
    """Return SHA-256 (hex) over what concerns the node: addresses with their state, and the route."""
    facts = {
        "registries": sorted([r.address.url, r.state] for r in policy.registries),
        "route": policy.route.value,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
