"""What is known of a registry and an image of it without a login."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.errors import Problem


class Shown(StrEnum):
    """What a registry shows of an image without a login.

    WITHHELD: nothing, whether the image exists or not. REFUSED: it has the image, and a policy does not let it go.
    """

    YES = "yes"
    MISSING = "missing"
    WITHHELD = "withheld"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnonymousAnswer:
    """The answer of a registry. `scheme` is the one by which it answered as a registry, "" if it did by none.

    `problem` is why it did not, or why it answered nothing about the image; `words` are its own about the image.
    """

    scheme: str = ""
    shown: Shown = Shown.UNKNOWN
    words: str = ""
    problem: Problem | None = None
