"""The receivers of a run: those of `--notify`, else those of the settings, with URL and secret read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.engine.notify.message import Receiver
from harbor_agent.engine.request.config_file import load_configuration
from harbor_agent.engine.request.credentials import find_passed_file
from harbor_agent.errors import Problem
from harbor_agent.local.files import describe_error
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.planning.config.receivers import find_kind, is_web_address, parse_notify_option

if TYPE_CHECKING:
    from harbor_agent.model.policy import ReceiverSource


def list_sources(option: str | None, config: str | None) -> tuple[ReceiverSource, ...]:
    """Return the receiver of `--notify`, without it those of the settings file. Raises UsageError for either."""
    if option is not None:
        return (parse_notify_option(option),)
    return load_configuration(config).notify


def open_receiver(source: ReceiverSource) -> Receiver | Problem:
    """Read URL and secret of a receiver, or return why that is impossible, without a value."""
    url = read_url(source)
    if isinstance(url, Problem):
        return url
    secret = _read("secret", source.secret_env, source.secret_file) if source.secret_env or source.secret_file else None
    if isinstance(secret, Problem):
        return secret
    return Receiver(kind=source.kind or find_kind(url.reveal()), url=url, secret=secret)


def read_url(source: ReceiverSource) -> Sensitive | Problem:
    """Read the URL of a receiver, or return why that is impossible, without its value."""
    url = Sensitive(source.url) if source.url else _read("URL", source.url_env, source.url_file)
    if isinstance(url, Problem) or is_web_address(url.reveal()):
        return url
    place = f"${source.url_env}" if source.url_env else source.url_file
    message = f"no notification was sent: {place} has no URL that begins with http:// or https://"
    return Problem(code="notify-failed", message=message, hint="write the URL into it, and nothing else")


def _read(what: str, name: str | None, file: str | None) -> Sensitive | Problem:
    """Return the value in an environment variable or a file, without white space around it."""
    if name is not None:
        if text := os.environ.get(name, "").strip():
            return Sensitive(text)
        return _describe_missing(what, f"${name} is not set", f"export {name}")
    path = Path(file or "").expanduser()
    try:
        if text := find_passed_file(path).read_text(encoding="utf-8").strip():
            return Sensitive(text)
    except (OSError, UnicodeDecodeError) as error:
        return _describe_missing(what, f"cannot read {path}: {describe_error(error)}", "check the file")
    return _describe_missing(what, f"{path} is empty", f"write the {what} into it")


def _describe_missing(what: str, reason: str, hint: str) -> Problem:
    message = f"no notification was sent: its {what} is missing: {reason}"
    return Problem(code="notify-failed", message=message, hint=hint)
