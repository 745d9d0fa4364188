"""The record that ties a pull secret to the object that harbor-agent created, so that no copy of it is taken for ours.

A label or an annotation alone is copied along by replicators, GitOps, backups and `kubectl get -o yaml`. So the record
has namespace, name and uid of its object. A copy, also one that a backup restored under the same name, has another uid.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Final

RECORD: Final = "harbor-agent/record"

_VERSION = 1
# The payload has a password in it, so its digest must be slow to guess: about 10 ms each.
_ROUNDS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectIdentity:
    """The identity of one object of the cluster; no `uid` is used twice."""

    namespace: str
    name: str
    uid: str


def build_record(identity: ObjectIdentity, payload: bytes) -> str:
    """Return the value of the annotation for an object that holds `payload`."""
    record = {
        "version": _VERSION,
        "namespace": identity.namespace,
        "name": identity.name,
        "uid": identity.uid,
        "content": _digest(identity, payload),
    }
    return json.dumps(record, separators=(",", ":"))


def is_record_of(record: str, identity: ObjectIdentity) -> bool:
    """Whether the record was written for this very object."""
    found = _parse(record)
    return bool(identity.uid) and identity == ObjectIdentity(
        namespace=str(found.get("namespace")), name=str(found.get("name")), uid=str(found.get("uid"))
    )


def has_recorded_content(record: str, identity: ObjectIdentity, payload: bytes | None) -> bool:
    """Whether the payload is still the one that the record was written with."""
    if payload is None or not is_record_of(record, identity):
        return False
    return hmac.compare_digest(str(_parse(record).get("content")).encode(), _digest(identity, payload).encode())


def _digest(identity: ObjectIdentity, payload: bytes) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", payload, identity.uid.encode(), _ROUNDS)
    return f"pbkdf2-sha256:{_ROUNDS}:{digest.hex()}"


def _parse(record: str) -> dict[str, object]:
    try:
        found = json.loads(record)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
