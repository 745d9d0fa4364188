"""Sends one message: a few seconds at most, a second attempt, verified TLS, and the proxies of the environment."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from harbor_agent.errors import Problem
from harbor_agent.model.policy import ReceiverKind
from harbor_agent.registry.http import Connection, HttpClient
from harbor_agent.registry.origin import format_origin
from harbor_agent.registry.reason import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.engine.notify.message import Message, Receiver
    from harbor_agent.registry.answer import Answer

    BuildMessage = Callable[[Receiver, float], Message]

_TIMEOUT = 5.0
_PAUSE = 1.0
_SHORTEST_TOKEN = 6  # shorter parts of a path are words such as "hook"
_HINT = "check the receiver's URL and secret, and that this machine reaches it; the run itself is not affected"
# Answers with which the chats say in a body of status 200 that they did not take a message: member, and its good value.
_VERDICTS = {ReceiverKind.FEISHU: ("code", "msg"), ReceiverKind.DINGTALK: ("errcode", "errmsg")}


def send(receiver: Receiver, build_message: BuildMessage, timeout: float = _TIMEOUT) -> Problem | None:
    """Post a message, and once more if it is not taken; return the problem if it is not taken then either.

    `build_message` gets the time (seconds since 1970), because signatures hold it. A receiver that answers with 4xx
    will not take the same message a second time. The problem names the server, and neither path nor token. `timeout`
    (seconds) is for the connection, and again for the answer.
    """
    problem, is_final = _try_once(receiver, build_message(receiver, time.time()), timeout)
    if problem and not is_final:
        time.sleep(_PAUSE)
        problem, _ = _try_once(receiver, build_message(receiver, time.time()), timeout)
    return problem


def _try_once(receiver: Receiver, message: Message, timeout: float) -> tuple[Problem | None, bool]:
    """Return why the message was not taken, None if it was, and whether the answer is final."""
    url, hidden = message.url.reveal(), _list_hidden(receiver)
    client = HttpClient(Connection(timeout=timeout, patience=timeout, attempts=1), hidden)
    answer = client.post(url, message.body)
    if isinstance(answer, Problem):
        return _describe(answer.message), False
    origin = format_origin(url)
    if not 200 <= answer.status < 300:  # noqa: PLR2004 - RFC 9110
        reason = f": {clean_text(answer.reason, hidden)}" if answer.reason else ""
        return _describe(f"{origin} answered with status {answer.status}{reason}"), 300 <= answer.status < 500  # noqa: PLR2004
    refused = _find_refusal(receiver.kind, answer)
    return (_describe(f"{origin} refused it: {clean_text(refused, hidden)}"), True) if refused else (None, True)


def _find_refusal(kind: ReceiverKind, answer: Answer) -> str:
    """Return what a chat has against a message that its server received; "" if it took it."""
    if kind not in _VERDICTS:
        return ""
    code, text = _VERDICTS[kind]
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return "its answer is not JSON, so it is not the chat's server"
    value = document.get(code) if isinstance(document, dict) else None
    return "" if value == 0 else f"{document.get(text) if isinstance(document, dict) else ''} ({code} {value})"


def _describe(reason: str) -> Problem:
    return Problem(code="notify-failed", message=f"no notification was sent: {reason}", hint=_HINT)


def _list_hidden(receiver: Receiver) -> tuple[str, ...]:
    """Return the parts of a receiver's URL that may be its token, and its secret."""
    parts = urlsplit(receiver.url.reveal())
    words = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query)), parts.password or ""]
    tokens = [word for word in words if len(word) >= _SHORTEST_TOKEN]
    return (*tokens, *([receiver.secret.reveal()] if receiver.secret else ()))
