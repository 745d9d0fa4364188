"""Which image, which registry and which server the text of a failed pull names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harbor_agent.model.address import DOCKER_HUB_NAMES
from harbor_agent.model.workloads.template import PodContainer

_REFERENCE = r"[A-Za-z0-9][^\s\"',]*[A-Za-z0-9]"
# kubelet and CRI, containerd, containers/image, dockerd; the first that matches counts.
_IMAGES = (
    re.compile(rf"(?i)(?:failed to pull(?: and unpack)?|back-off pulling|pulling) image:? \"({_REFERENCE})\""),
    re.compile(rf"(?:resolve|resolving) reference \"({_REFERENCE})\""),
    re.compile(rf"\bimage=\"({_REFERENCE})\""),
    re.compile(rf"docker://({_REFERENCE})"),
    re.compile(rf"Trying to pull ({_REFERENCE})\.\.\."),
    re.compile(rf"\bmanifest for ({_REFERENCE}) not found"),
    re.compile(rf"pull access denied for ({_REFERENCE})"),
    re.compile(rf"\b(?:docker|crictl|podman|nerdctl|ctr images?) pull (?:--?\S+ )*({_REFERENCE})"),
)
_MANIFEST_OF = re.compile(r"reading manifest (\S+) in ([^\s:]+(?::\d+)?/[^\s:]+)")
_SERVERS = (
    re.compile(r"\b(?:Get|GET|Head|HEAD|Post|POST) \"?https?://(?:[^/@\s\"]*@)?([^/@\s\"]+)"),
    re.compile(r"pinging container registry ([^\s:]+(?::\d+)?)"),
    re.compile(r"certs\.d/([^/\s]+)/"),
    re.compile(r"\blookup ([A-Za-z0-9.-]+)"),
)
# What is not about a pull may still hold the words of a reason, such as "command not found".
_ABOUT_PULL = re.compile(
    r"(?i)\bpull|manifest|repository|registry|\bimages?\b|\bv2/|x509|\btls:|HTTP response to HTTPS|certs\.d"
    r"|resolve reference|client certificate|unauthorized:|denied:|toomanyrequests|unexpected HTTP status|GetImageBlob"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSubject:
    """What a text names, each "" if it does not: the image, its registry, and the server that was asked."""

    image: str = ""
    registry: str = ""
    server: str = ""

    @property
    def is_sent_elsewhere(self) -> bool:
        """Whether the server is not that of the registry: a mirror, a token service, or a redirection."""
        is_hub = self.registry in DOCKER_HUB_NAMES
        return bool(self.server and self.registry) and self.server != self.registry and not is_hub


def is_about_pull(text: str) -> bool:
    """Whether a text is about a pull at all."""
    return bool(_ABOUT_PULL.search(text))


def read_subject(text: str, image: str = "") -> PullSubject:
    r"""Read what a text names; `image` is known from elsewhere. Quotes may be escaped (`\"`), as in logs."""
    text = text.replace('\\"', '"')
    image = image or _find_image(text)
    server = next((found[1] for pattern in _SERVERS if (found := pattern.search(text))), "")
    registry = PodContainer(name="", image=image).host or server
    return PullSubject(image=image, registry=registry, server=server)


def _find_image(text: str) -> str:
    if found := _MANIFEST_OF.search(text):
        return f"{found[2]}:{found[1]}"
    return next((found[1] for pattern in _IMAGES if (found := pattern.search(text))), "")
