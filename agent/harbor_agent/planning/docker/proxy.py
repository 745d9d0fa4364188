"""Which proxies dockerd sends a registry's requests to, read from the running daemon or from its files.

"proxies" in daemon.json and the flags of the same names take precedence over the environment since 23.0
(moby cmd/dockerd, overrideProxyEnv).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.json_text import JsonKind
from harbor_agent.formats.redact import mask_userinfo
from harbor_agent.formats.text import to_unicode
from harbor_agent.planning.docker.state import find_docker
from harbor_agent.planning.network.proxy import ProxySettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.docker.effective import Effective

_NAMES = ("http-proxy", "https-proxy", "no-proxy")


def read_proxies(state: NodeState, effective: Effective) -> ProxySettings:
    """Read the proxies in effect: daemon.json and flags, then the running daemon's environment or else the unit's."""
    docker = find_docker(state)
    running = docker is not None and docker.argv is not None and not state.offline
    environment = docker.environment if docker and running else effective.environment
    configured = _read_configured(effective)

    def find(name: str) -> str:
        variable = name.upper().replace("-", "_")
        from_environment = environment.get(variable) or environment.get(variable.lower()) or ""
        return mask_userinfo(configured.get(name) or _decode_file_text(from_environment))

    return ProxySettings(http=find("http-proxy"), https=find("https-proxy"), exceptions=find("no-proxy"))


def _read_configured(effective: Effective) -> Mapping[str, str]:
    """Return the proxies that flags or daemon.json set, by their names there."""
    found = {name: values[-1] for name in _NAMES if (values := effective.daemon.values(name))}
    member = effective.config.member("proxies") if effective.config else None
    for one in member.value.members if member else ():
        if one.key in _NAMES and one.value.kind is JsonKind.STRING:
            found[one.key] = one.value.string
    return found


def _decode_file_text(text: str) -> str:
    """Return text from a file (one character per byte) as text; a process's environment is text already."""
    try:
        return to_unicode(text)
    except UnicodeEncodeError:
        return text
