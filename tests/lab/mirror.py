"""Where this machine gets Debian from: nodes are built from the same place."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROLLING = frozenset({"stable", "testing", "unstable", "sid"})
_ONE_LINE = re.compile(r"deb\s+(?:\[[^]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")


def debian_mirror(apt: Path = Path("/etc/apt"), os_release: Path = Path("/etc/os-release")) -> str:
    """Return $HARBOR_AGENT_LAB_MIRROR, else the URI from which apt installs this machine's own release.

    Raises LookupError where neither is there, such as on a distribution that is not Debian.
    """
    if named := os.environ.get("HARBOR_AGENT_LAB_MIRROR"):
        return named
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', os_release.read_text(encoding="utf-8"), re.MULTILINE))
    if release.get("ID") == "debian":
        own = _ROLLING | {release.get("VERSION_CODENAME", "")}
        for uri, suites, components in _sources(apt):
            if own.intersection(suites) and "main" in components:
                return uri
    raise LookupError("no Debian mirror in apt's sources: set HARBOR_AGENT_LAB_MIRROR to one")


def _sources(apt: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    for file in [*sorted((apt / "sources.list.d").glob("*.sources"))]:
        for paragraph in re.split(r"\n\s*\n", file.read_text(encoding="utf-8")):
            fields = {name.lower(): value for name, value in re.findall(r"^([\w-]+):\s*(.*)$", paragraph, re.MULTILINE)}
            if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
                yield fields["uris"].split()[0], fields["suites"].split(), fields.get("components", "").split()
    for file in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]:
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        for match in map(_ONE_LINE.match, text.splitlines()):
            if match:
                yield match["uri"], [match["suite"]], match["components"].split()
