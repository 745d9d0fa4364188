"""Host keys as text: a line per host with the fingerprint."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harbor_agent.language.current import translate
from harbor_agent.transport.ssh.host_keys import KeyStatus
from harbor_agent.views.text.style import Color, render_problem, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.transport.ssh.host_keys import HostKey

_COLORS = {KeyStatus.KNOWN: Color.GREEN, KeyStatus.ADDED: Color.GREEN}
_WORDS = {status: status.value for status in KeyStatus} | {KeyStatus.KNOWN: "already known"}


def host_keys_text(keys: Sequence[HostKey]) -> str:
    """Return a line per host with its problem below, and a last line that counts them."""
    lines: list[str] = []
    for key in keys:
        status = style(translate(key.status.value), _COLORS.get(key.status, Color.RED), bold=True)
        lines.append(f"{_name_host(key)}: {status}{_show_key(key)}")
        lines += render_problem(key.problem) if key.problem else []
    found = Counter(key.status for key in keys)
    counted = [f"{found[status]} {_WORDS[status]}" for status in KeyStatus if found[status]]
    return "\n".join([*lines, translate(f"Host keys: {', '.join(counted) or 'no hosts'}")])


def new_keys_text(keys: Sequence[HostKey]) -> str:
    """Return a line per host whose key is about to be added."""
    width = max(len(_name_host(key)) for key in keys)
    return "\n".join(f"  {_name_host(key):{width}} {_show_key(key)}" for key in keys)


def _name_host(key: HostKey) -> str:
    return key.host if key.known_as == key.host else f"{key.host} ({key.known_as})"


def _show_key(key: HostKey) -> str:
    return f"  {key.key_type} {key.fingerprint}" if key.fingerprint else ""
