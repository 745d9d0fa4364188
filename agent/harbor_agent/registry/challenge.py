"""A registry's `WWW-Authenticate` headers, read as docker reads them (distribution, authchallenge.go).

docker takes one challenge from each header line: the first. Its parameters end where the next challenge begins, and a
value that is not quoted ends at the first separator, such as the colon of a URL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD = r"""[^\x00-\x20\x7f-\U0010ffff"(),/:;<=>?@\[\]\\{}]+"""
_SCHEME = re.compile(rf"({_WORD})[ \t]*")
_PARAMETER = re.compile(rf"""[ \t]*({_WORD})=(?:"((?:[^"\\]|\\.)+)"|({_WORD}))[ \t]*(,?)""", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A challenge. `scheme` is lower case; `realm` and `service` are "" if they are missing."""

    scheme: str
    realm: str = ""
    service: str = ""


def parse_challenges(headers: Iterable[str]) -> dict[str, Challenge]:
    """Return the Bearer and the Basic challenge by scheme; of several with one scheme, the last, which docker uses."""
    challenges = [challenge for challenge in map(_parse, headers) if challenge]
    return {challenge.scheme: challenge for challenge in challenges if challenge.scheme in {"bearer", "basic"}}


def _parse(header: str) -> Challenge | None:
    scheme = _SCHEME.match(header)
    if not scheme:
        return None
    parameters: dict[str, str] = {}
    position, more = scheme.end(), ","
    while more and (match := _PARAMETER.match(header, position)):
        value = re.sub(r"\\(.)", r"\1", match[2], flags=re.DOTALL) if match[2] is not None else match[3]
        parameters[match[1].lower()] = value
        position, more = match.end(), match[4]
    return Challenge(scheme=scheme[1].lower(), realm=parameters.get("realm", ""), service=parameters.get("service", ""))
