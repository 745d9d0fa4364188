"""A registry's name in a node's /etc/hosts: one block at its end, outside the blocks that installers rewrite.

KubeKey and Kubespray replace what is between their own marks; cloud-init may write the whole file at each boot.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harbor_agent.formats.hosts import normalize_address, read_lines, replace_block
from harbor_agent.formats.text import decode, encode
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harbor_agent.model.dns import DnsEntry

_BY_HAND: Final = "resolve the name by DNS, or set resolve.nodes to false"
# cloud-init's util.translate_bool, and "template" (cc_update_etc_hosts)
_MANAGED: Final = re.compile(
    r"""^\s*["']?manage_etc_hosts["']?\s*:\s*["']?(true|1|on|yes|y|template)["']?\s*(?:\#.*)?$""",
    re.IGNORECASE | re.MULTILINE,
)
_HOSTS_SERVICES: Final = re.compile(r"^\s*hosts\s*:([^#\n]*)", re.MULTILINE)
_SERVICE: Final = re.compile(r"\[([^\]]*)\]|([^\s\[]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsState:
    """A node's /etc/hosts and what decides about it.

    `link` is the target of a symbolic link, "" for a file; `cloud_init` are the texts of cloud-init's configuration
    and user data by path; `nsswitch` is None if the node has no nsswitch.conf.
    """

    content: bytes
    link: str = ""
    is_mount: bool = False
    nsswitch: str | None = None
    cloud_init: Mapping[str, str] | None = None


def plan_hosts_file(state: HostsState, present: Iterable[DnsEntry], absent: Iterable[str] = ()) -> bytes:
    """Return the file with the entries `present` in the block of this tool, and without ours for the names `absent`.

    Entries of the block that are not named stay. Raises RefusedError if the change would not last or not be read, or
    if the file has another address for a name.
    """
    text = decode(state.content)
    lines = list(read_lines(text))
    ours = {name: line.address for line in lines if line.is_ours for name in line.names}
    wanted = {name: address for name, address in ours.items() if name not in set(absent)}
    for entry in present:
        others = {line.address for line in lines if not line.is_ours and entry.name in line.names}
        address = normalize_address(entry.address) or entry.address
        if others - {address}:
            raise RefusedError(
                "hosts-entry-differs",
                f"/etc/hosts already has {entry.name} with the address {', '.join(sorted(others - {address}))}",
                "remove that line if it is wrong, or set resolve.address to it",
            )
        wanted.pop(entry.name, None)
        if not others:
            wanted[entry.name] = address
    after = encode(replace_block(text, ((address, name) for name, address in wanted.items())))
    if after != state.content:
        _check_file(state)
        _check_readers(state, wanted.keys() - ours.keys())
    return after


def _check_file(state: HostsState) -> None:
    if state.link or state.is_mount:
        what = f"a symbolic link to {state.link}" if state.link else "a mount"
        raise RefusedError("hosts-not-regular", f"the node's /etc/hosts is {what}", _BY_HAND)
    for path, text in (state.cloud_init or {}).items():
        if match := _MANAGED.search(text):
            raise RefusedError(
                "hosts-managed",
                f"{path} sets manage_etc_hosts: {match[1]}, so cloud-init writes /etc/hosts at each boot",
                "add the entry to /etc/cloud/templates/hosts.*.tmpl and set manage_etc_hosts: false or localhost, or "
                "resolve the name by DNS",
            )


def _check_readers(state: HostsState, added: Iterable[str]) -> None:
    match = _HOSTS_SERVICES.search(state.nsswitch or "")
    if not match:
        return
    for name in added:
        if not _reads_files(match[1], name):
            raise RefusedError(
                "hosts-not-read",
                f"/etc/nsswitch.conf says 'hosts:{match[1].rstrip()}', so /etc/hosts is not read for {name}",
                "add 'files' before 'dns' there, or resolve the name by DNS",
            )


def _reads_files(services: str, name: str) -> bool:
    """Whether the lookup of a name that nothing else knows reaches `files` (nsswitch.conf(5))."""
    service = ""
    for action, word in _SERVICE.findall(services):
        if word:
            service = word
            # systemd-resolved reads /etc/hosts on its own.
            if service in ("files", "resolve"):
                return True
        elif _ends_lookup(action, service, name):
            return False
    return False


def _ends_lookup(action: str, service: str, name: str) -> bool:
    if "minimal" in service and not name.endswith(".local"):
        return False
    rules = [rule.lower().partition("=") for rule in action.split()]
    return any(
        end == "return" and (status == "notfound" or (status.startswith("!") and status != "!notfound"))
        for status, _, end in rules
    )
