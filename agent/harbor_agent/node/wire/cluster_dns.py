"""What cluster_dns.sh reports: the DNS servers that kubelet gives its pods."""

from __future__ import annotations

import ipaddress
import re

from harbor_agent.model.kubelet import PodDns
from harbor_agent.model.program import Program
from harbor_agent.node.wire.framing import compose, read_block, refuse, unframe
from harbor_agent.resources import read_node_program

_SCHEMA = "harbor-agent/cluster-dns/1"
_PARTS = ("kubelet.sh", "cluster_dns.sh")
_KEY = re.compile(r'clusterDNS"?[ \t]*:[ \t]*')
_FLOW = re.compile(r"\[([^\]]*)\]")
_ITEM = re.compile(r"[ \t]*-[ \t]*(.*)")


def build_cluster_dns_program() -> Program:
    """Build the program that reads which DNS servers kubelet gives its pods; it changes nothing."""
    return Program(stdin=compose([read_node_program(part) for part in _PARTS], {}), privileged=True)


def decode_cluster_dns(stdout: bytes) -> PodDns | None:
    """Decode the output of `build_cluster_dns_program`; None without a kubelet.

    Raises WireError if the answer is truncated or has another form.
    """
    blocks: dict[str, str] = {}
    has_kubelet = False
    lines = unframe(stdout, _SCHEMA)
    for line in lines:
        keyword, _, rest = line.partition(" ")
        if keyword == "block":
            blocks[rest] = read_block(lines).decode("utf-8", "replace")
        elif keyword == "kubelet":
            has_kubelet = True
        else:
            raise refuse("node-answer-unknown", f"the node's answer has {line[:80]!r} where a keyword belongs")
    if not has_kubelet:
        return None
    # An option replaces what the files say; of several files, the last one counts.
    words = [word for line in blocks.get("flag", "").split() for word in line.split(",")]
    return PodDns(
        servers=_keep_addresses(words or _read_configured(blocks.get("configured", ""))),
        nameservers=_keep_addresses(blocks.get("nameservers", "").split()),
    )


def _read_configured(text: str) -> list[str]:
    """Return the servers of the last clusterDNS, which is a list in YAML or JSON, on one line or several."""
    places = [match.end() for match in _KEY.finditer(text)]
    if not places:
        return []
    rest = text[places[-1] :]
    if rest.startswith("["):
        flow = _FLOW.match(rest)
        return flow[1].split(",") if flow else []
    _, *lines = rest.split("\n")
    items = []
    for line in lines:
        item = _ITEM.fullmatch(line.partition("#")[0].rstrip())
        if line.strip().startswith("#") or not line.strip():
            continue
        if not item:
            break
        items.append(item[1])
    return items


def _keep_addresses(words: list[str]) -> tuple[str, ...]:
    found = []
    for word in words:
        try:
            found.append(str(ipaddress.ip_address(word.strip(" \t\n\"'"))))
        except ValueError:
            continue
    return tuple(dict.fromkeys(found))
