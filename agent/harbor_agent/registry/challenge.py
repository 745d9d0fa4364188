"""A registry's `WWW-Authenticate` header (RFC 7235, distribution's token specification)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCHEME = re.compile(r"\s*([A-Za-z]+)(?=\s|\Z)")
_PARAMETER = re.compile(r"""([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A challenge. `scheme` is lower case; `realm` and `service` are "" if they are missing."""

    scheme: str
    realm: str = ""
    service: str = ""


def choose_challenge(headers: Iterable[str]) -> Challenge | None:
    """Return the Bearer challenge of the header's values, else the Basic one, else None."""
    challenges = {challenge.scheme: challenge for challenge in map(_parse, headers) if challenge}
    return challenges.get("bearer") or challenges.get("basic")


def _parse(header: str) -> Challenge | None:
    scheme = _SCHEME.match(header)
    if not scheme:
        return None
    parameters = {
        match[1].lower(): re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        for match in _PARAMETER.finditer(header, scheme.end())
    }
    return Challenge(scheme=scheme[1].lower(), realm=parameters.get("realm", ""), service=parameters.get("service", ""))
