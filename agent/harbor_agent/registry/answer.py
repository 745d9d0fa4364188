"""A registry's answer to one request."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harbor_agent.registry.reason import find_reason

if TYPE_CHECKING:
    import httpx2


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A registry's answer of any status; at most 1 MiB of its body. `seconds` is how long it took.

    `hidden` is masked in the reason. `certificate` is the one that the server sent (DER), b"" without TLS.
    """

    status: int
    headers: httpx2.Headers
    body: bytes = field(repr=False)
    seconds: float = 0.0
    hidden: tuple[str, ...] = field(default=(), repr=False)
    certificate: bytes = field(default=b"", repr=False)

    @property
    def reason(self) -> str:
        """The reason in the body, "" if it has none."""
        return find_reason(self.body, self.hidden)

    def read_member(self, name: str) -> str:
        """Return a string member of a JSON object, "" if it is missing."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return ""
        value = document.get(name) if isinstance(document, dict) else None
        return value if isinstance(value, str) else ""
