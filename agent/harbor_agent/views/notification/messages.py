"""A notification as each kind of receiver takes it.

- Webhook: the JSON document itself.
- Slack and compatible chats (https://api.slack.com/messaging/webhooks): `text`, in which `&`, `<` and `>` are escaped
  (https://api.slack.com/docs/message-formatting).
- Feishu (https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot): a `post`, because a `text` would read tags
  such as `<at user_id="all">` in a reason; at most 20 KB. `timestamp` (seconds) and `sign` are in the body: HMAC-SHA256
  of an empty text with the key TIMESTAMP, line feed, SECRET, in base64.
- DingTalk (https://open.dingtalk.com/document/orgapp/custom-robot-access): a `text`, which without `at` mentions no
  user. `timestamp` (milliseconds) and `sign` are in the query: HMAC-SHA256 of TIMESTAMP, line feed, SECRET with the key
  SECRET, in base64, encoded for a URL. Both signatures are valid for an hour.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit, urlunsplit

from harbor_agent.engine.notify.message import Message
from harbor_agent.model.policy import ReceiverKind
from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from harbor_agent.engine.notify.message import Receiver
    from harbor_agent.views.json.common import Json


def build_message(receiver: Receiver, document: Json, now: float) -> Message:
    """Return the message for a notification document; `now` (seconds since 1970) is in its signature."""
    title, text, url = str(document["title"]), str(document["text"]), receiver.url
    body: Json
    match receiver.kind:
        case ReceiverKind.WEBHOOK:
            body = document
        case ReceiverKind.SLACK:
            body = {"text": _escape_for_slack(f"{title}\n{text}"), "mrkdwn": False}
        case ReceiverKind.FEISHU:
            lines = [[{"tag": "text", "text": line}] for line in text.split("\n")]
            body = {"msg_type": "post", "content": {"post": {"en_us": {"title": title, "content": lines}}}}
            body |= _sign_for_feishu(receiver.secret, int(now)) if receiver.secret else {}
        case ReceiverKind.DINGTALK:
            body = {"msgtype": "text", "text": {"content": f"{title}\n{text}"}}
            url = _sign_for_dingtalk(url, receiver.secret, int(now * 1000)) if receiver.secret else url
    return Message(url=url, body=json.dumps(body).encode())


def _escape_for_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _sign_for_feishu(secret: Sensitive, seconds: int) -> Json:
    return {"timestamp": str(seconds), "sign": _sign(f"{seconds}\n{secret.reveal()}", "")}


def _sign_for_dingtalk(url: Sensitive, secret: Sensitive, milliseconds: int) -> Sensitive:
    sign = _sign(secret.reveal(), f"{milliseconds}\n{secret.reveal()}")
    parts = urlsplit(url.reveal())
    signature = urlencode({"timestamp": milliseconds, "sign": sign})
    return Sensitive(urlunsplit(parts._replace(query=f"{parts.query}&{signature}" if parts.query else signature)))


def _sign(key: str, text: str) -> str:
    return b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()
