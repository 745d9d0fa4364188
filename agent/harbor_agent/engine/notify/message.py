"""A receiver that is ready to use, and a message for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.model.policy import ReceiverKind
    from harbor_agent.model.sensitive import Sensitive


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A receiver, ready to use. `secret` signs messages to Feishu and DingTalk; None if the bot asks for none."""

    kind: ReceiverKind
    url: Sensitive
    secret: Sensitive | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message for a receiver: the URL to post to, which may have a signature in it, and its JSON body."""

    url: Sensitive
    body: bytes
