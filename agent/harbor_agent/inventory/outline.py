"""Names of hosts and groups as an inventory's text shows them, for completion: a guess, made without Ansible.

Nothing is executed, decrypted or templated, so dynamic inventories have no names here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from harbor_agent.inventory.installers.kubekey import is_kubekey, parse_machines
from harbor_agent.inventory.installers.rke import parse_rke_machines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LARGEST_FILE = 1 << 20
_MOST_HOSTS = 1000  # of one range
_RANGE = re.compile(r"(.*?)\[(\d+):(\d+)\](.*)")
_SECTION = re.compile(r"\[([^\]:]+)(?::(\w+))?\]")
# Of a folder, Ansible leaves out these (lib/ansible/config/base.yml, INVENTORY_IGNORE_EXTS) and folders of variables.
_IGNORED = (".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry", ".log")
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

HOST, GROUP = "host", "group"


class _AnyTagLoader(_BASE):  # type: ignore[misc]  # a class of C or of Python
    """A loader that passes over tags such as !vault."""


_AnyTagLoader.add_multi_constructor("", lambda *_: None)


def list_names(sources: Iterable[str]) -> dict[str, str]:
    """Return the names in these inventories, each a "host" or a "group"; what cannot be read has none."""
    found: dict[str, str] = {}
    for source in sources:
        if "," in source:
            found |= dict.fromkeys((name.strip() for name in source.split(",") if name.strip()), HOST)
            continue
        for file in _list_files(Path(source).expanduser()):
            for name, kind in _read_file(file):
                found.setdefault(name, kind)
    return found


def _list_files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.is_file() and not file.name.startswith(".") and not file.name.endswith(_IGNORED):
                yield file
    elif path.is_file():
        yield path


def _read_file(file: Path) -> Iterator[tuple[str, str]]:
    if os.access(file, os.X_OK) or file.stat().st_size > _LARGEST_FILE:
        return
    text = file.read_text(encoding="utf-8", errors="replace")
    is_yaml = file.suffix in (".yml", ".yaml", ".json") or text.lstrip().startswith(("---", "{"))
    machines = parse_machines(text, str(file)) if is_kubekey(text) else None
    if machines is None and is_yaml:
        machines = parse_rke_machines(text, str(file))
    if machines is not None:
        yield from ((name, HOST) for name in machines.hosts)
        yield from ((name, GROUP) for name in machines.groups)
    elif is_yaml:
        yield from _walk(yaml.load(text, Loader=_AnyTagLoader))  # noqa: S506 - derived from the safe loader
    else:
        yield from _read_ini(text)


def _read_ini(text: str) -> Iterator[tuple[str, str]]:
    kind: str | None = HOST
    for line in text.splitlines():
        words = re.split(r"\s+#", line.strip())[0].split()
        if not words or words[0][0] in "#;":
            continue
        if section := _SECTION.fullmatch(line.strip().split("#")[0].strip()):
            yield section[1], GROUP
            kind = {None: HOST, "children": GROUP}.get(section[2])
        elif kind:
            yield from ((name, kind) for name in _expand(words[0]))


def _walk(groups: object) -> Iterator[tuple[str, str]]:
    if not isinstance(groups, Mapping):
        return
    for name, content in groups.items():
        yield str(name), GROUP
        if isinstance(content, Mapping):
            hosts = content.get("hosts")
            for host in hosts if isinstance(hosts, Mapping | list) else ():
                yield from ((one, HOST) for one in _expand(str(host)))
            yield from _walk(content.get("children"))


def _expand(pattern: str) -> Iterator[str]:
    """Yield the hosts of numeric ranges; a long range, and one of letters, has none."""
    found = _RANGE.fullmatch(pattern)
    if not found:
        if "[" not in pattern or ":" not in pattern:
            yield pattern.partition(":")[0] if pattern.count(":") == 1 else pattern
        return
    before, first, last, after = found.groups()
    if int(last) - int(first) < _MOST_HOSTS:
        for number in range(int(first), int(last) + 1):
            yield from _expand(f"{before}{number:0{len(first)}}{after}")
