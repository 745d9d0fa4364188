"""Receivers of notifications, as settings and `--notify` name them; a URL with a token in it is refused there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from harbor_agent.errors import Problem, UsageError
from harbor_agent.model.policy import ReceiverKind, ReceiverSource
from harbor_agent.planning.config import kinds
from harbor_agent.planning.config.kinds import Kind, Setting, build_choice
from harbor_agent.planning.config.sections import allow_one_of, build_list, build_section

if TYPE_CHECKING:
    from harbor_agent.planning.config.reader import Reader

# Hosts of the chats' own services; others, such as Mattermost, are named by `kind`.
_HOSTS = {
    "hooks.slack.com": ReceiverKind.SLACK,
    "open.feishu.cn": ReceiverKind.FEISHU,
    "open.larksuite.com": ReceiverKind.FEISHU,
    "oapi.dingtalk.com": ReceiverKind.DINGTALK,
    "api.dingtalk.com": ReceiverKind.DINGTALK,
}
_SIGNED = frozenset({ReceiverKind.FEISHU, ReceiverKind.DINGTALK})
_URLS = ("url", "url_env", "url_file")
_SECRETS = ("secret_env", "secret_file")
_FILE, _ENV = "file:", "env:"


def find_kind(url: str) -> ReceiverKind:
    """Return what the host of a URL understands: our own document, unless it is known to be a chat."""
    return _HOSTS.get((urlsplit(url).hostname or "").lower(), ReceiverKind.WEBHOOK)


def is_web_address(url: str) -> bool:
    """Whether a text is an http or https URL with a host."""
    try:
        parts = urlsplit(url)
        has_port = parts.port is not None or not parts.netloc.endswith(":")
    except ValueError:
        return False
    is_one_word = url.isprintable() and not any(character.isspace() for character in url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and has_port and is_one_word


def parse_notify_option(text: str) -> ReceiverSource:
    """Return the receiver that `--notify` names: a URL, `file:FILE` or `env:NAME`.

    Raises UsageError for anything else, and for a URL that holds a token.
    """
    if text.startswith(_FILE) and text != _FILE:
        return ReceiverSource(url_file=text.removeprefix(_FILE))
    if text.startswith(_ENV) and text != _ENV:
        return ReceiverSource(url_env=text.removeprefix(_ENV))
    if not is_web_address(text):
        message = "--notify: expected a URL that begins with http:// or https://, file:FILE or env:NAME"
        raise UsageError.of("usage", message, "put the URL into a file, and use --notify file:FILE")
    source = ReceiverSource(url=text)
    if problem := _find_exposed_token(source, "use --notify file:FILE or --notify env:NAME"):
        raise UsageError(replace(problem, message=f"--notify: {problem.message}"))
    return source


def _read_receiver(reader: Reader) -> ReceiverSource | None:
    values = cast("dict[str, Any] | None", _RECEIVER.read(reader)) or {}
    source = ReceiverSource(**values | {"kind": ReceiverKind(values["kind"]) if "kind" in values else None})
    if sum(key in values for key in _URLS) != 1:
        raise reader.build_error("a receiver needs exactly one URL", f"set one of {', '.join(_URLS)}")
    if all(key in values for key in _SECRETS):
        raise reader.build_error("more than one secret", f"set one of {', '.join(_SECRETS)}")
    if source.url is not None and not is_web_address(source.url):
        raise reader.child("url").build_error("not a URL that begins with http:// or https://")
    if any(key in values for key in _SECRETS) and source.kind is not None and source.kind not in _SIGNED:
        raise reader.build_error(f"{source.kind} has no secret", "leave it out; feishu and dingtalk sign with one")
    if problem := _find_exposed_token(source, "use url_file or url_env"):
        raise reader.source.build_error(reader.place, problem)
    return source


def _find_exposed_token(source: ReceiverSource, hint: str) -> Problem | None:
    """Return the problem of a URL in an argument or in the settings, with which its readers could send messages."""
    if source.url is None:
        return None
    parts = urlsplit(source.url)
    kind = source.kind or find_kind(source.url)
    if kind is ReceiverKind.WEBHOOK and not (parts.username or parts.password or parts.query):
        return None
    what = f"of {kind} holds a token" if kind is not ReceiverKind.WEBHOOK else "holds a login or a token"
    return Problem(code="notify-url-exposed", message=f"the URL {what}, which others can read there", hint=hint)


# The pattern is a sketch: a port must be a number, and the URL of a chat is refused.
_URL = Kind(
    read=lambda reader: reader.read_text(),
    schema={"type": ["string", "null"], "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/@?][^\s@?]*$"},
)
_RECEIVER = build_section(
    Setting("url", _URL, "URL of a receiver that needs no token; one of `url`, `url_env` and `url_file`"),
    Setting("url_env", kinds.TEXT, "environment variable with the URL"),
    Setting("url_file", kinds.TEXT, "file with the URL"),
    Setting(
        "kind",
        build_choice(*ReceiverKind),
        "what it understands; without it the host of the URL decides: `slack` (and compatible chats), `feishu`, "
        "`dingtalk`, else `webhook`, which gets the JSON document",
    ),
    Setting("secret_env", kinds.TEXT, "environment variable with the secret that signs messages to Feishu or DingTalk"),
    Setting("secret_file", kinds.TEXT, "file with that secret"),
    rules={
        "anyOf": [{"required": [key], "properties": {key: {"type": "string"}}} for key in _URLS],
        "allOf": [*allow_one_of(*_URLS), *allow_one_of(*_SECRETS)],
    },
)
RECEIVERS = build_list(Kind(read=_read_receiver, schema=_RECEIVER.schema, settings=_RECEIVER.settings))
