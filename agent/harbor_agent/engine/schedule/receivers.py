"""What a scheduled check needs to notify its receivers: the files with their URLs and secrets, and their ports."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harbor_agent.engine.notify.receivers import read_url
from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harbor_agent.errors import UsageError
    from harbor_agent.model.policy import Policy

    Refuse = Callable[[str, str, str], UsageError]

_DEFAULT_PORTS = {"http": 80, "https": 443}


def list_receiver_files(policy: Policy, refuse: Refuse) -> Iterator[str]:
    """Yield the files that the settings name, as they name them.

    Raises what `refuse` returns for an environment variable; it gets what is in it, its name, and the setting to use.
    """
    for source in policy.notify:
        if source.url_env:
            raise refuse("the URL of a receiver", source.url_env, "url_file")
        if source.secret_env:
            raise refuse("the secret of a receiver", source.secret_env, "secret_file")
        yield from (text for text in (source.url_file, source.secret_file) if text)


def list_receiver_ports(policy: Policy) -> Iterator[int]:
    """Yield the ports of the receivers; of one whose URL this machine cannot read, that of HTTPS."""
    for source in policy.notify:
        url = read_url(source)
        parts = urlsplit("https://unknown" if isinstance(url, Problem) else url.reveal())
        yield parts.port or _DEFAULT_PORTS[parts.scheme]
