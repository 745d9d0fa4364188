"""Which requests to a registry are repeated, and after how long."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from harbor_agent.registry.answer import Answer

_LONGEST_WAIT = 30.0  # seconds, for all requests of one check
_PAUSES = (0.5, 2.0)
_RETRIED = frozenset({429, 503})


def find_pause(outcome: Answer | Exception, attempt: int, waited: float, attempts: int) -> float | None:
    """Return the seconds to wait before the next attempt, None if this outcome is final.

    `Retry-After` is kept; if it is longer than the time that is left of 30 s, the outcome is final.
    """
    if attempt + 1 >= min(attempts, len(_PAUSES) + 1):
        return None
    pause = _PAUSES[attempt]
    if isinstance(outcome, Exception):
        if not is_reset(outcome):
            return None
    elif outcome.status not in _RETRIED:
        return None
    else:
        requested = find_retry_after(outcome)
        pause = max(pause, requested) if requested is not None else pause
    return pause if waited + pause <= _LONGEST_WAIT else None


def is_reset(error: Exception) -> bool:
    """Whether the server ended the connection before an answer."""
    if isinstance(error, httpx2.RemoteProtocolError):
        return "disconnected" in str(error) or "without sending" in str(error)
    return isinstance(error, httpx2.ReadError | httpx2.WriteError | ConnectionResetError | BrokenPipeError)


def find_retry_after(answer: Answer) -> float | None:
    """Return the seconds of `Retry-After`, a number or a date (RFC 9110, 10.2.3); None if there are none."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
