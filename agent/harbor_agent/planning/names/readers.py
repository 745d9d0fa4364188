"""Whether a change of /etc/hosts lasts and is read: cloud-init, links, mounts and nsswitch.conf."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from harbor_agent.model.state import FileKind
from harbor_agent.planning.files.workspace import require_writable
from harbor_agent.planning.names.hosts_file import PATH
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harbor_agent.model.state import FileState, NameService

_BY_HAND: Final = "resolve the name by DNS, or set resolve.nodes to false"
_SETTING: Final = re.compile(r"""^\s*["']?manage_etc_hosts["']?\s*:\s*["']?([^\s"'#]+)["']?\s*(?:\#.*)?$""")
# cloud-init's util.translate_bool, and "template" (cc_update_etc_hosts)
_REWRITES: Final = frozenset({"true", "1", "on", "yes", "y", "template"})
_SERVICE: Final = re.compile(r"\[([^\]]*)\]|([^\s\[]+)")


def require_lasting_file(file: FileState, service: NameService) -> None:
    """Raise RefusedError if /etc/hosts is not an ordinary file, or if cloud-init writes it at each boot."""
    if file.kind is FileKind.SYMLINK or service.is_mount:
        what = "a mount" if service.is_mount else f"a symbolic link to {file.link_target}"
        raise RefusedError("hosts-not-regular", f"the node's {PATH} is {what}", _BY_HAND)
    require_writable(file)
    settings = [(path, match[1]) for path, line in service.cloud_init if (match := _SETTING.match(line))]
    # the later file wins, and user data is the last
    path, value = settings[-1] if settings else ("", "")
    if value.lower() in _REWRITES:
        raise RefusedError(
            "hosts-managed",
            f"{path} sets manage_etc_hosts: {value}, so cloud-init writes {PATH} at each boot",
            "add the entry to /etc/cloud/templates/hosts.*.tmpl and set manage_etc_hosts: false or localhost, or "
            "resolve the name by DNS",
        )


def require_readers(service: NameService, names: Iterable[str], answered: Mapping[str, Sequence[str]]) -> None:
    """Raise RefusedError if the lookup of one of these names does not reach /etc/hosts.

    `answered` are the names that the node resolves without the change, with their addresses.
    """
    services = service.nsswitch.partition("#")[0].rstrip()
    for name in names:
        if services and not _reads_files(services, name, is_known=name in answered):
            earlier = f": DNS answers first, with {', '.join(answered[name])}" if name in answered else ""
            raise RefusedError(
                "hosts-not-read",
                f"/etc/nsswitch.conf says 'hosts:{services}', so {PATH} is not read for {name}{earlier}",
                "add 'files' before 'dns' there, or resolve the name by DNS",
            )


def _reads_files(services: str, name: str, *, is_known: bool) -> bool:
    """Whether the lookup of a name reaches `files` (nsswitch.conf(5)); `is_known` says that DNS answers it."""
    service = ""
    for action, word in _SERVICE.findall(services):
        if word:
            service = word
            # systemd-resolved reads /etc/hosts on its own.
            if service in ("files", "resolve"):
                return True
            if service == "dns" and is_known:
                return False
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
