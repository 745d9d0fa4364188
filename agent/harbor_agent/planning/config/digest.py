"""Digests of what was requested, so that later runs can tell whether the request has changed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from harbor_agent.model.policy import Policy

if TYPE_CHECKING:
    from harbor_agent.model.policy import Registry


def request_digest(policy: Policy, *, repair: bool) -> str:
    """Return the SHA-256 (hex) of the whole request, the cluster's part included; logins are left out."""
    facts = {
        "node": policy_digest(policy),
        "registries": sorted(
            [r.address.url, r.verify_image or "", repr(r.secret), *([repr(r.resolve)] if r.resolve else [])]
            for r in policy.registries
        ),
        "rollout": repr(policy.rollout),
        "repair": repair,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def is_rollback_digest(digest: str) -> bool:
    """Whether a record with this digest is that of a rollback, which asks for no registry at all."""
    return digest == policy_digest(Policy(registries=()))


def policy_digest(policy: Policy) -> str:
    """Return the SHA-256 (hex) of what concerns nodes: addresses, certificates, names, and the route."""
    facts = {
        "registries": sorted(
            [r.address.url, r.presence, *_hash_certificates(r), *_describe_name(r)] for r in policy.registries
        ),
        "route": policy.route.value,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _hash_certificates(registry: Registry) -> list[str]:
    found = registry.certificates
    hashes = [hashlib.sha256(found.authorities + found.client + found.key).hexdigest()] if found else []
    asked = {"system-trust": registry.system_trust, "kubelet-login": registry.kubelet_login}
    return [*hashes, *(name for name, is_asked in asked.items() if is_asked)]


def _describe_name(registry: Registry) -> list[str]:
    found = registry.resolve
    return [f"{registry.address.host} {found.address}"] if found and found.nodes else []
