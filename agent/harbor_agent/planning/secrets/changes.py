"""What a write would change in a pull secret, key by key and without values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.pull_secret import PAYLOAD_KEY, decode_payload
from harbor_agent.model.secret import KeyChange, KeyChangeKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.formats.pull_secret import ObservedSecret

# A registry key and a member of its login are compared one by one, as both are of interest and neither is secret.
_PAYLOAD_DEPTH = 3


def list_changes(before: ObservedSecret | None, after: ObservedSecret) -> tuple[KeyChange, ...]:
    """Return the changes from `before` (None: there is no secret) to `after`, in the order of their keys."""
    old, new = _list_values(before) if before else {}, _list_values(after)
    return tuple(
        KeyChange(key=key, kind=_find_kind(is_old=key in old, is_new=key in new))
        for key in sorted(old.keys() | new.keys())
        if key not in old or key not in new or old[key] != new[key]
    )


def _find_kind(*, is_old: bool, is_new: bool) -> KeyChangeKind:
    if is_old and is_new:
        return KeyChangeKind.REPLACE
    return KeyChangeKind.ADD if is_new else KeyChangeKind.REMOVE


def _list_values(secret: ObservedSecret) -> dict[str, object]:
    """Return the values of a secret by their path."""
    return {
        "type": secret.type,
        **{f"metadata.labels[{key}]": value for key, value in secret.labels.items()},
        **{f"metadata.annotations[{key}]": value for key, value in secret.annotations.items()},
        **({"immutable": True} if secret.immutable else {}),
        **(dict(_walk(f"data[{PAYLOAD_KEY}]", _parse(secret.payload), 0)) if secret.payload is not None else {}),
    }


def _parse(payload: bytes | None) -> object:
    """Return the document in the payload, or the payload itself if it is not an object."""
    document = decode_payload(payload)
    return document if isinstance(document, dict) else payload


def _walk(path: str, value: object, depth: int) -> Iterator[tuple[str, object]]:
    if not isinstance(value, dict) or not value or depth == _PAYLOAD_DEPTH:
        yield path, value
        return
    for key, below in value.items():
        step = f"[{key}]" if depth == 1 else f".{key}"
        yield from _walk(path + step, below, depth + 1)
